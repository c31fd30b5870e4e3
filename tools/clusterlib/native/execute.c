/* The client of `tools/cluster exec`: runs a command on a host as if it were here (working directory,
 * environment, stdio, signals both ways, exit code). And the program's main: its name decides. */
#include "common.h"

#include <libgen.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *append(char *end, const char *text) {
    return stpcpy(end, text) + 1;
}

static char *pack(int argc, char **argv, size_t *length) {
    char cwd[PATH_MAX], number[32], mask[16];
    mode_t current = umask(0);
    umask(current);
    if (!getcwd(cwd, sizeof cwd))
        strcpy(cwd, "/");
    snprintf(number, sizeof number, "%d", argc);
    snprintf(mask, sizeof mask, "%o", current);
    *length = strlen(cwd) + strlen(number) + strlen(mask) + 3;
    for (int i = 0; i < argc; i++)
        *length += strlen(argv[i]) + 1;
    for (char **variable = environ; *variable; variable++)
        *length += strlen(*variable) + 1;
    char *payload = malloc(*length), *end = payload;
    if (!payload)
        return NULL;
    end = append(append(append(end, cwd), mask), number);
    for (int i = 0; i < argc; i++)
        end = append(end, argv[i]);
    for (char **variable = environ; *variable; variable++)
        end = append(end, *variable);
    return payload;
}

/* Ends as the command ended: with its exit code, or by the same signal. */
static int end_like(int wstatus) {
    struct rlimit none = {0, 0};
    sigset_t mask;
    if (WIFEXITED(wstatus))
        return WEXITSTATUS(wstatus);
    setrlimit(RLIMIT_CORE, &none);
    signal(WTERMSIG(wstatus), SIG_DFL);
    sigfillset(&mask);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
    raise(WTERMSIG(wstatus));
    return 128 + WTERMSIG(wstatus);
}

static int follow(int fd, int signals) {
    struct pollfd polls[2] = {{.fd = fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    struct signalfd_siginfo info;
    struct reply reply;
    for (;;) {
        if (poll(polls, 2, -1) < 0)
            continue;
        if (polls[1].revents && read(signals, &info, sizeof info) == sizeof info) {
            unsigned char number = info.ssi_signo;
            if (send(fd, &number, 1, MSG_NOSIGNAL) < 0)
                continue;
        }
        if (polls[0].revents) {
            if (read_fully(fd, &reply, sizeof reply) == 1)
                return end_like(reply.wstatus);
            warn_line("cluster: the host is gone");
            return 1;
        }
    }
}

/* argv: name, STATE, "tty" or "-", host, command… */
int main_exec(int argc, char **argv) {
    static const int stdio[3] = {0, 1, 2};
    static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
    sigset_t mask;
    size_t length;
    if (argc < 5)
        return 2;
    sigemptyset(&mask);
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
        sigaddset(&mask, forwarded[i]);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    int signals = signalfd(-1, &mask, SFD_CLOEXEC);
    char *payload = pack(argc - 4, argv + 4, &length);
    int fd = payload ? connect_host(argv[1], argv[3]) : -1;
    if (fd < 0) {
        warn_line("cluster: %s: %s", argv[3], errno == ENOENT ? "there is no such host" : strerror(errno));
        return errno == ENOENT ? 2 : 1;
    }
    unsigned flags = FLAG_KILL_WITH_CLIENT | (strcmp(argv[2], "tty") == 0 ? FLAG_TTY : 0);
    if (send_request(fd, KIND_EXEC, flags, payload, length, stdio, 3) < 0) {
        warn_line("cluster: %s: %s", argv[3], strerror(errno));
        return 1;
    }
    return follow(fd, signals);
}

int main(int argc, char **argv) {
    const char *name = argc ? basename(argv[0]) : "";
    if (strcmp(name, "cluster-supervise") == 0)
        return main_supervise(argc, argv);
    if (strcmp(name, "cluster-exec") == 0)
        return main_exec(argc, argv);
    return main_rsh(argc, argv);
}
