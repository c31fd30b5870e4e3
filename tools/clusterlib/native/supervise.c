/* The supervisor: makes namespaces and cables for all hosts, then only waits. Every host's first process
 * dies with it (PR_SET_PDEATHSIG), with that its PID namespace, and with that everything else; a watcher
 * outside all namespaces then removes the files, whatever ended the supervisor. */
#include "common.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char *state;
static int report_fd;
static char *argv_begin, *argv_end;

static void fail(const char *what, int error) {
    dprintf(report_fd, "%s: %s\n", what, strerror(error));
    exit(1);
}

static void watch(int life) {
    char byte, command[PATH_MAX];
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (int number = 1; number < 32; number++)
        sigaction(number, &ignore, NULL);
    prctl(PR_SET_NAME, "cluster-watch");
    close(report_fd);
    if (chdir("/") < 0)
        return;
    while (read(life, &byte, 1) < 0 && errno == EINTR)
        ;
    signal(SIGCHLD, SIG_DFL);
    snprintf(command, sizeof command, "%s/cleanup", state);
    execl("/bin/sh", "sh", command, NULL);
}

/* The caller keeps his own number inside, so that he is himself on the hosts; a first process keeps its
 * rights because it never executes anything. */
static void enter_user_namespace(void) {
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER) < 0)
        fail("user namespaces are not allowed here (run as root, or see docs/cluster.md)", errno);
    write_text("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "%u %u 1", gid, gid);
    if (write_text("/proc/self/gid_map", map) < 0)
        fail("gid_map", errno);
    snprintf(map, sizeof map, "%u %u 1", uid, uid);
    if (write_text("/proc/self/uid_map", map) < 0)
        fail("uid_map", errno);
}

static void enter_namespaces(void) {
    if (geteuid() != 0 || (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 && errno == EPERM)) {
        enter_user_namespace();
        if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
            fail("network and mount namespaces are not allowed here (run as root, or see docs/cluster.md)", errno);
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        fail("making mounts private", errno);
}

/* A /run of the cluster's own, for daemons that insist on a place there: links to all that is in the
 * real one, and what they want. */
static void own_run(void) {
    char real[PATH_MAX], from[PATH_MAX + 300], to[PATH_MAX];
    struct dirent *entry;
    snprintf(real, sizeof real, "%s/run", state);
    if (access(real, F_OK) < 0)
        return;
    if (mount("/run", real, NULL, MS_BIND | MS_REC, NULL) < 0 || mount("run", "/run", "tmpfs", 0, "mode=755") < 0)
        fail("own /run", errno);
    DIR *directory = opendir(real);
    while (directory && (entry = readdir(directory))) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "sshd") == 0 || strcmp(entry->d_name, "inetd.pid") == 0)
            continue;
        snprintf(from, sizeof from, "%s/%s", real, entry->d_name);
        snprintf(to, sizeof to, "/run/%s", entry->d_name);
        if (symlink(from, to) < 0)
            fail("own /run", errno);
    }
    if (directory)
        closedir(directory);
    if (mkdir("/run/sshd", 0755) < 0)
        fail("own /run/sshd", errno);
}

/* What ps shows: argv's own memory, all of it one block. */
static void show_name(const char *name) {
    static char text[NAME_SIZE + 16];
    snprintf(text, sizeof text, "cluster-host %s", name);
    size_t room = argv_end - argv_begin;
    memset(argv_begin, 0, room);
    memcpy(argv_begin, text, strlen(text) < room ? strlen(text) : room - 1);
}

static pid_t start_host(const struct host *host, unsigned index, int ready, const int *close_in_host) {
    int go[2];
    if (pipe2(go, O_CLOEXEC) < 0)
        fail("pipe", errno);
    long pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0)
        fail(errno == ENOSPC ? "too many namespaces (user.max_net_namespaces)" : "clone", errno);
    if (pid == 0) {
        close(go[1]);
        for (int i = 0; close_in_host[i] >= 0; i++)
            close(close_in_host[i]);
        show_name(host->name);
        hold(state, host, go[0], ready);
        _exit(1);
    }
    close(go[0]);
    int error = net_plug(index, host->address, pid);
    if (error)
        fail("veth", error);
    error = link_rate(state) ? net_port_rate(index, link_rate(state)) : 0;
    if (error)
        fail("a link's rate (tbf)", error);
    if (write(go[1], "g", 1) < 0)
        fail("host", errno);
    close(go[1]);
    return pid;
}

/* One line from each host, "ok" or what is wrong. */
static void wait_ready(int ready, size_t count) {
    char line[512];
    FILE *file = fdopen(ready, "r");
    for (size_t i = 0; i < count; i++) {
        if (!file || !fgets(line, sizeof line, file))
            fail("a host ended while it started", EIO);
        if (strcmp(line, "ok\n") != 0) {
            dprintf(report_fd, "%s", line);
            exit(1);
        }
    }
    fclose(file);
}

static void end_hosts(const pid_t *pids, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (pids[i] > 0)
            kill(pids[i], SIGKILL);
    /* A first process is gone only when all others of its namespace are. */
    for (size_t i = 0; i < count; i++)
        while (pids[i] > 0 && waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
            ;
}

static void wait_for_end(pid_t *pids, size_t count) {
    sigset_t mask;
    int number;
    pid_t dead;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    do {
        sigwait(&mask, &number);
        while (number == SIGCHLD && (dead = waitpid(-1, NULL, WNOHANG)) > 0)
            for (size_t i = 0; i < count; i++)
                if (pids[i] == dead) /* its number may soon be another's */
                    pids[i] = 0;
    } while (number == SIGCHLD);
}

static size_t read_hosts(struct host **hosts) {
    char *text = read_file(state, "hosts.list", NULL), *save = NULL;
    size_t count = 0, room = 1;
    for (char *c = text; c && *c; c++)
        room += *c == '\n';
    *hosts = calloc(room, sizeof **hosts);
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line && *hosts; line = strtok_r(NULL, "\n", &save)) {
        unsigned a, b, c, d;
        if (sscanf(line, "%63s %u.%u.%u.%u", (*hosts)[count].name, &a, &b, &c, &d) == 5)
            (*hosts)[count++].address = a << 24 | b << 16 | c << 8 | d;
    }
    free(text);
    return count;
}

/* argv: name, STATE, fd of the lock, fd to say "ok" or the error on */
int main_supervise(int argc, char **argv) {
    struct host *hosts;
    int life[2], ready[2];
    if (argc != 4)
        return 2;
    state = strdup(argv[1]);
    int lock = atoi(argv[2]);
    report_fd = atoi(argv[3]);
    argv_begin = argv[0];
    argv_end = argv[3] + strlen(argv[3]) + 1;
    size_t count = read_hosts(&hosts);
    if (count < 1 || pipe2(life, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0)
        fail("start", errno);
    pid_t watcher = fork();
    if (watcher == 0) {
        close(life[1]);
        close(ready[1]);
        watch(life[0]);
        _exit(1);
    }
    close(life[0]);
    enter_namespaces();
    own_run();
    int error = net_switch();
    if (error)
        fail("switch", error);
    int close_in_host[] = {life[1], lock, report_fd, ready[0], -1};
    pid_t *pids = calloc(count, sizeof *pids);
    for (size_t i = 0; i < count; i++)
        pids[i] = start_host(&hosts[i], i, ready[1], close_in_host);
    close(ready[1]);
    wait_ready(ready[0], count);
    dprintf(report_fd, "ok\n");
    close(report_fd);
    wait_for_end(pids, count);
    end_hosts(pids, count);
    return 0;
}
