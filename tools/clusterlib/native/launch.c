/* Starting commands on a host: as a login by rsh, as typed (exec), as its service (sshd, inetd). */
#include "common.h"

#include <grp.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define LOGIN_PATH "/usr/local/bin:/usr/bin:/bin:/usr/games"
#define ROOT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static pid_t service;

static void close_from(int first) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, first, ~0u, 0) == 0)
        return;
#endif
    for (int fd = first; fd < 4096; fd++) /* Linux before 5.9 */
        close(fd);
}

/* In the child: its own session, the given stdio, nothing else of the first process. */
static void become(const int fds[3]) {
    sigset_t none;
    int kept[3];
    setsid();
    prctl(PR_SET_PDEATHSIG, 0);
    for (int i = 0; i < 3; i++)
        kept[i] = fcntl(fds[i], F_DUPFD, 3);
    for (int i = 0; i < 3; i++)
        dup2(kept[i], i);
    close_from(3);
    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* /etc/passwd is read here and now, so that a fault that mounts another one works at once. */
static struct passwd *find_user(const char *name) {
    FILE *file = fopen("/etc/passwd", "re");
    struct passwd *user = NULL;
    while (file && (user = fgetpwent(file)))
        if (*name ? strcmp(user->pw_name, name) == 0 : user->pw_uid == geteuid())
            break;
    if (file)
        fclose(file);
    return user;
}

static int switch_user(const struct passwd *user) {
    gid_t groups[128];
    int count = 0;
    struct group *group;
    if (user->pw_uid == geteuid())
        return 0;
    groups[count++] = user->pw_gid;
    FILE *file = fopen("/etc/group", "re");
    while (file && count < 128 && (group = fgetgrent(file)))
        for (char **member = group->gr_mem; *member && count < 128; member++)
            if (strcmp(*member, user->pw_name) == 0)
                groups[count++] = group->gr_gid;
    if (file)
        fclose(file);
    return setgroups(count, groups) || setgid(user->pw_gid) || setuid(user->pw_uid);
}

/* As sshd does it: `$SHELL -c command` in the home directory with a small environment. */
static void login(const struct host *self, const char *name, const char *client, const char *command) {
    static char space[8][512];
    char address[16], *environment[9];
    struct passwd fallback = {.pw_name = getenv("USER"), .pw_dir = getenv("HOME"), .pw_shell = getenv("SHELL"),
                              .pw_uid = geteuid(), .pw_gid = getegid()};
    struct passwd *user = find_user(name);
    if (!user && !*name)
        user = &fallback;
    if (!user || switch_user(user) != 0) {
        warn_line("%s@%s: Permission denied (publickey).", name, self->name);
        _exit(255);
    }
    const char *shell = user->pw_shell && *user->pw_shell ? user->pw_shell : "/bin/sh";
    const char *home = user->pw_dir && *user->pw_dir ? user->pw_dir : "/";
    const char *login_name = user->pw_name && *user->pw_name ? user->pw_name : "user";
    int count = 0;
    show_address(self->address, address);
    snprintf(space[count++], 512, "USER=%s", login_name);
    snprintf(space[count++], 512, "LOGNAME=%s", login_name);
    snprintf(space[count++], 512, "HOME=%s", home);
    snprintf(space[count++], 512, "PATH=%s", user->pw_uid == 0 ? ROOT_PATH : LOGIN_PATH);
    snprintf(space[count++], 512, "SHELL=%s", shell);
    snprintf(space[count++], 512, "SSH_CLIENT=%s 22", client);
    snprintf(space[count++], 512, "SSH_CONNECTION=%s %s 22", client, address);
    for (int i = 0; i < count; i++)
        environment[i] = space[i];
    environment[count] = NULL;
    if (chdir(home) < 0) {
        warn_line("Could not chdir to home directory %s: %s", home, strerror(errno));
        if (chdir("/") < 0)
            _exit(255);
    }
    const char *slash = strrchr(shell, '/');
    char *arguments[] = {(char *)(slash ? slash + 1 : shell), "-c", (char *)command, NULL};
    if (!*command) {
        arguments[0] = "-sh";
        arguments[1] = NULL;
    }
    execve(shell, arguments, environment);
    warn_line("%s: %s", shell, strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* payload: user, "address port" of the client, command */
pid_t launch_rsh(const struct host *self, const char *payload, size_t length, const int fds[3]) {
    const char *client = payload + strlen(payload) + 1;
    const char *command = client < payload + length ? client + strlen(client) + 1 : payload + length;
    if (command >= payload + length)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        become(fds);
        umask(022);
        login(self, payload, client, command);
    }
    return pid;
}

/* payload: working directory, umask, number of arguments, arguments, environment */
pid_t launch_exec(const char *payload, size_t length, const int fds[3], unsigned flags) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += payload[i] == 0;
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char **words = calloc(count + 2, sizeof *words);
    const char *word = payload;
    size_t arguments = 0;
    become(fds);
    if (flags & FLAG_TTY)
        ioctl(0, TIOCSCTTY, 0);
    for (size_t i = 0; words && i < count; i++, word += strlen(word) + 1)
        words[i] = (char *)word;
    if (words && count >= 4)
        arguments = strtoul(words[2], NULL, 10);
    if (arguments < 1 || arguments > count - 3)
        _exit(126);
    if (chdir(words[0]) < 0 && chdir("/") < 0)
        _exit(126);
    umask(strtoul(words[1], NULL, 8));
    environ = words + 3 + arguments;
    /* The arguments' array ends where the environment begins: a copy of it can end with NULL. */
    char **copy = calloc(arguments + 1, sizeof *copy);
    if (!copy)
        _exit(126);
    memcpy(copy, words + 3, arguments * sizeof *copy);
    execvp(copy[0], copy);
    warn_line("cluster: %s: %s", copy[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* STATE/service: the port it listens on, then its argv, a line each. No such file, no service. */
static pid_t launch_service(const char *state) {
    char *text = read_file(state, "service", NULL);
    char *arguments[64];
    int count = 0;
    if (!text)
        return 0;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        int fds[3] = {null, log_fd, log_fd};
        become(fds);
        strtok(text, "\n");
        while (count < 63 && (arguments[count] = strtok(NULL, "\n")))
            count++;
        arguments[count] = NULL;
        execv(arguments[0], arguments);
        warn_line("%s: %s", arguments[0], strerror(errno));
        _exit(127);
    }
    free(text);
    service = pid;
    return pid;
}

void service_died(pid_t pid) {
    if (pid == service)
        service = -1;
}

/* 1: it listens (or there is none to wait for), 0: not yet, -1: it has ended. */
static int service_listens(const char *state) {
    char *text = read_file(state, "service", NULL), line[512];
    unsigned local, status, found = 0, port = text ? strtoul(text, NULL, 10) : 0;
    free(text);
    if (!port)
        return 1;
    if (service <= 0 || kill(service, 0) < 0)
        return -1;
    FILE *file = fopen("/proc/net/tcp", "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, " %*u: %*x:%x %*x:%*x %x", &local, &status) == 2 && local == port && status == 10;
    if (file)
        fclose(file);
    return found;
}

int ensure_service(const char *state, int restart) {
    struct timespec pause = {0, 5000000};
    if (service > 0 && restart)
        kill(service, SIGKILL);
    if (service > 0 && waitpid(service, NULL, restart ? 0 : WNOHANG) == service)
        service = -1;
    if (service <= 0 && launch_service(state) < 0)
        return errno;
    for (int i = 0; i < 2000; i++) {
        int listens = service_listens(state);
        if (listens != 0)
            return listens > 0 ? 0 : ECHILD;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 40000000)
            pause.tv_nsec *= 2;
    }
    return ETIMEDOUT;
}

int signal_service(int number) {
    if (service <= 0)
        return ESRCH;
    return kill(service, number) < 0 ? errno : 0;
}
