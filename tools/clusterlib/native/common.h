/* What the supervisor, the hosts' first processes and the clients share: the little protocol
 * spoken on each host's Unix socket, and helpers. docs/cluster.md describes the whole. */
#ifndef MPBOOT_CLUSTER_COMMON_H
#define MPBOOT_CLUSTER_COMMON_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define MAGIC 0x6d70636cu
#define MAX_REQUEST (8u << 20)
#define NAME_SIZE 64

enum kind {
    KIND_RSH = 1,  /* user, client's "address port", command; fds 0, 1, 2 */
    KIND_EXEC = 2, /* cwd, argc, argv…, environment…; fds 0, 1, 2 */
    KIND_CTL = 3,  /* words, see control.c */
    KIND_PROC = 4, /* answered with an fd of the host's /proc */
};
enum flag {
    FLAG_KILL_WITH_CLIENT = 1, /* the command dies when the client goes away */
    FLAG_TTY = 2,              /* fd 0 becomes the controlling terminal */
};

struct request {
    uint32_t magic, kind, flags, length; /* length of the NUL-ended strings that follow */
};
struct reply {
    int32_t wstatus; /* as from waitpid; for KIND_CTL 0 or an errno */
    uint32_t length; /* of the text that follows */
};

struct host {
    char name[NAME_SIZE];
    uint32_t address; /* host byte order */
};

/* util.c */
void warn_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *read_file(const char *directory, const char *name, size_t *size); /* NULL if there is none */
int write_text(const char *path, const char *text);                     /* 0 or -1 */
int connect_host(const char *state, const char *name);                  /* fd, or -1 with errno */
int send_request(int fd, enum kind kind, unsigned flags, const char *payload, size_t length, const int *fds,
                 int count);
int read_fully(int fd, void *buffer, size_t size); /* 1 all, 0 end of file, -1 error */
void show_address(uint32_t address, char text[16]);

/* net.c: rtnetlink; each returns 0 or an errno */
int net_loopback_up(void);
int net_switch(void);
int net_plug(unsigned index, uint32_t address, pid_t host);
int net_configure(uint32_t address);
int net_port_rate(unsigned index, unsigned rate);
int net_own_rate(unsigned rate);
unsigned link_rate(const char *state);
int net_link(const char *name, int up);
int net_route(int add, const char *type, const char *prefix);

/* host.c, launch.c, control.c */
extern int log_fd;
void hold(const char *state, const struct host *self, int go, int ready);
pid_t launch_rsh(const struct host *self, const char *payload, size_t length, const int fds[3]);
pid_t launch_exec(const char *payload, size_t length, const int fds[3], unsigned flags);
int ensure_service(const char *state, int restart); /* waits until it listens; 0 or an errno */
int control(const char *state, const struct host *self, const char *payload, size_t length, char *answer,
            size_t size);
void service_died(pid_t pid);
int signal_service(int number); /* 0 or an errno */
int apply_binds(const char *state, const char *list);

/* standin.c, execute.c, supervise.c: one program, the name it is called by decides */
int main_rsh(int argc, char **argv);
int main_exec(int argc, char **argv);
int main_supervise(int argc, char **argv);
#endif
