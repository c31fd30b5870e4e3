/* The stand-in for rsh and ssh: same arguments, same messages, same exit codes, but instead of a network
 * it waits out the latency and hands its stdio to the host's first process. Faults are files that it reads
 * at each start, so that they work from the moment they are set. */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static char state[PATH_MAX];
static const char *host, *user = "";

static void pause_seconds(double seconds) {
    struct timespec rest = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    while (seconds > 0 && nanosleep(&rest, &rest) < 0 && errno == EINTR)
        ;
}

static void sleep_for_ever(void) {
    for (;;)
        pause();
}

/* Once it is logged in ssh reads its stdin, whether the far side does or not: who watches it sees that. */
static void hang_after_login(void) {
    char block[4096];
    while (read(0, block, sizeof block) > 0)
        ;
    sleep_for_ever();
}

static void give_up(const char *format, const char *name) {
    char line[512];
    snprintf(line, sizeof line, format, name);
    strncat(line, "\r\n", sizeof line - strlen(line) - 1);
    if (write(2, line, strlen(line)) < 0)
        _exit(255);
    _exit(255);
}

/* The state directory is the one that this program lies in. */
static void find_state(void) {
    ssize_t length = readlink("/proc/self/exe", state, sizeof state - 1);
    if (length < 0)
        give_up("stand-in: %s: no /proc", host);
    state[length] = 0;
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(state, '/');
        if (slash)
            *slash = 0;
    }
}

/* The address that a peer would see: the one of the interface towards the others. No packet is sent. */
static void own_address(char text[16]) {
    struct sockaddr_in other = {.sin_family = AF_INET, .sin_port = htons(22)};
    socklen_t size = sizeof other;
    other.sin_addr.s_addr = htonl(0x0a4dfffe);
    strcpy(text, "127.0.0.1");
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&other, sizeof other) == 0 &&
        getsockname(fd, (struct sockaddr *)&other, &size) == 0)
        show_address(ntohl(other.sin_addr.s_addr), text);
    close(fd);
}

/* Counted in a file of the host, so that it holds across processes: the how-manieth attempt is this? */
static long attempt_number(void) {
    char path[PATH_MAX + 64];
    struct stat status;
    snprintf(path, sizeof path, "%s/faults/%s.attempts", state, host);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    long number = 0;
    if (fd >= 0 && write(fd, ".", 1) == 1 && fstat(fd, &status) == 0)
        number = lseek(fd, 0, SEEK_CUR);
    close(fd);
    return number;
}

static void make_noise(long bytes) {
    static const char motd[] = "Welcome to the cluster!\n * Maintenance on Sunday\n\nLast login: Mon Jan  1 00:00:00\n";
    static const char stty[] = "stty: 'standard input': Inappropriate ioctl for device\n"
                               "bash: warning: setlocale: LC_ALL: cannot change locale (xx_XX.UTF-8)\n";
    char block[4096];
    memset(block, 'x', sizeof block);
    if (write(1, motd, sizeof motd - 1) < 0 || write(2, stty, sizeof stty - 1) < 0)
        return;
    for (; bytes > 0; bytes -= sizeof block)
        if (write(1, block, bytes < (long)sizeof block ? bytes : (long)sizeof block) < 0)
            return;
    if (write(1, "\n", 1) < 0)
        return;
}

/* A parent of a vfork waits in the state that ps calls D; TERM doesn't reach it there. */
static void wait_undisturbed(void) {
    pid_t self = getpid();
    if (vfork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self)
            _exit(0);
        for (;;)
            pause();
    }
}

static void leave_zombie(void) {
    if (fork() == 0)
        _exit(0);
    sleep_for_ever();
}

/* Before the login: the ways not to get that far. Returns the factor for the latency. */
static double before_login(const char *kind, const char *argument) {
    double number = atof(argument);
    if (strcmp(kind, "slow") == 0)
        return number;
    if (strcmp(kind, "never") == 0)
        sleep_for_ever();
    if (strcmp(kind, "unresolved") == 0)
        give_up("ssh: Could not resolve hostname %s: Name or service not known", host);
    if (strcmp(kind, "stopped") == 0)
        raise(SIGSTOP);
    if (strcmp(kind, "dstate") == 0)
        wait_undisturbed();
    if (strcmp(kind, "zombie") == 0)
        leave_zombie();
    return 1;
}

static void at_login(const char *kind, const char *argument, double *dies_after) {
    static const char refused[] = "ssh: connect to host %s port 22: Connection refused";
    double number = atof(argument);
    if (strcmp(kind, "refuse") == 0)
        give_up(refused, host);
    if (strcmp(kind, "unreachable") == 0) {
        pause_seconds(number);
        give_up("ssh: connect to host %s port 22: No route to host", host);
    }
    if (strcmp(kind, "auth") == 0) {
        char who[300], *own = read_file(state, "user", NULL);
        snprintf(who, sizeof who, "%s@%s", *user ? user : own ? own : "", host);
        give_up("%s: Permission denied (publickey).", who);
    }
    if (strcmp(kind, "host-key") == 0)
        give_up("@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n"
                "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
                "Host key for %s has changed and you have requested strict checking.\r\n"
                "Host key verification failed.", host);
    if (strcmp(kind, "flaky-first") == 0 && attempt_number() <= (long)number)
        give_up(refused, host);
    if (strcmp(kind, "flaky") == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        srand48(now.tv_nsec ^ (long)getpid() << 12);
        if (drand48() < number)
            give_up(refused, host);
    }
    if (strcmp(kind, "hang") == 0)
        hang_after_login();
    if (strcmp(kind, "noisy") == 0)
        make_noise((long)number);
    if (strcmp(kind, "half") == 0)
        *dies_after = number;
}

static char *latency_and_faults(double *latency, double *dies_after) {
    char name[NAME_SIZE + 16], *text = read_file(state, "latency", NULL), *faults, *copy, *save = NULL;
    *latency = text ? atof(text) : 0;
    *dies_after = -1;
    free(text);
    snprintf(name, sizeof name, "faults/%.*s", NAME_SIZE, host);
    faults = read_file(state, name, NULL);
    copy = faults ? strdup(faults) : NULL;
    for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, ' ');
        if (space)
            *space = 0;
        *latency *= before_login(line, space ? space + 1 : "");
    }
    free(copy);
    return faults;
}

static int run(const char *command, double dies_after) {
    static const int stdio[3] = {0, 1, 2};
    char address[16], payload[512];
    own_address(address);
    int size = snprintf(payload, sizeof payload, "%s%c%s %u", user, 0, address, 32768 + (unsigned)getpid() % 28000);
    size_t length = size + 1 + strlen(command) + 1;
    char *request = malloc(length);
    if (!request)
        return 255;
    memcpy(request, payload, size + 1);
    strcpy(request + size + 1, command);
    int fd = connect_host(state, host);
    if (fd < 0 && errno == ENOENT)
        give_up("ssh: Could not resolve hostname %s: Name or service not known", host);
    if (fd < 0)
        give_up("ssh: connect to host %s port 22: No route to host", host);
    if (send_request(fd, KIND_RSH, dies_after >= 0 ? FLAG_KILL_WITH_CLIENT : 0, request, length, stdio, 3) < 0)
        give_up("Connection closed by %s port 22", host);
    if (dies_after >= 0) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, (int)(dies_after * 1000)) == 0)
            give_up("Connection closed by %s port 22", host);
    }
    struct reply reply;
    if (read_fully(fd, &reply, sizeof reply) != 1)
        give_up("Connection closed by %s port 22", host);
    return WIFEXITED(reply.wstatus) ? WEXITSTATUS(reply.wstatus) : 255;
}

static char *join(char **words) {
    size_t length = 1;
    for (char **word = words; *word; word++)
        length += strlen(*word) + 1;
    char *text = calloc(1, length), *end = text;
    for (char **word = words; text && *word; word++)
        end += sprintf(end, "%s%s", end == text ? "" : " ", *word);
    return text;
}

/* ssh's and rsh's options are read and forgotten, but for -l and -n. */
static int parse(int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "+46AaCfGgKkMNnqsTtVvXxYyZ"
                                        "B:b:c:D:E:e:F:I:i:J:L:l:m:O:o:P:p:Q:R:S:W:w:")) != -1) {
        if (option == 'l')
            user = optarg;
        if (option == 'n' && freopen("/dev/null", "r", stdin) == NULL)
            return -1;
        if (option == '?')
            return -1;
    }
    return optind;
}

static int parse_again(int argc, char **argv) {
    optind = 1;
    return parse(argc, argv);
}

int main_rsh(int argc, char **argv) {
    double latency, dies_after;
    int first = parse(argc, argv);
    if (first < 0 || first >= argc) {
        warn_line("usage: %s [options] [user@]host command …", argv[0]);
        return 255;
    }
    host = argv[first++];
    /* As in ssh and rsh, options may follow the host too. */
    if (first < argc && argv[first][0] == '-') {
        argv[first - 1] = argv[0];
        int more = parse_again(argc - first + 1, argv + first - 1);
        if (more < 0)
            return 255;
        first += more - 1;
    }
    char *at = strrchr(host, '@');
    if (at) {
        *at = 0;
        user = host;
        host = at + 1;
    }
    find_state();
    char *faults = latency_and_faults(&latency, &dies_after), *save = NULL;
    pause_seconds(latency);
    for (char *line = faults ? strtok_r(faults, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, ' ');
        if (space)
            *space = 0;
        at_login(line, space ? space + 1 : "", &dies_after);
    }
    char *command = join(argv + first);
    return command ? run(command, dies_after) : 255;
}
