/* The first process of a host: makes it one, starts what is asked for on its socket, reaps.
 * It never executes another program, so without root it keeps its rights over the host's namespaces. */
#include "common.h"

#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define MAX_CLIENTS 2048

struct client {
    int fd;
    pid_t pid; /* what runs for it; 0 while its request is incomplete */
    int fds[3], fd_count;
    unsigned kind, flags;
    char *request; /* header and payload as far as read */
    size_t got, size;
};

int log_fd = 2;
static struct client clients[MAX_CLIENTS];
static int client_count;

static void drop(struct client *client) {
    close(client->fd);
    for (int i = 0; i < client->fd_count; i++)
        close(client->fds[i]);
    free(client->request);
    *client = clients[--client_count];
}

static void answer(int fd, int wstatus, const char *text) {
    struct reply reply = {wstatus, strlen(text)};
    char message[sizeof reply + 1024];
    if (reply.length > 1024)
        reply.length = 1024;
    memcpy(message, &reply, sizeof reply);
    memcpy(message + sizeof reply, text, reply.length);
    send(fd, message, sizeof reply + reply.length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void answer_proc(int fd) {
    struct reply reply = {0, 0};
    struct iovec vector = {&reply, sizeof reply};
    char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(part), &proc, sizeof(int));
    sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(proc);
}

/* A complete request: 1 keeps the client (its command runs), 0 drops it. */
static int serve(const char *state, const struct host *self, struct client *client) {
    struct request header;
    char text[1024] = "";
    memcpy(&header, client->request, sizeof header);
    const char *payload = client->request + sizeof header;
    client->kind = header.kind;
    client->flags = header.flags;
    switch (header.kind) {
    case KIND_RSH:
    case KIND_EXEC:
        if (client->fd_count != 3 || !header.length || payload[header.length - 1])
            return 0;
        client->pid = header.kind == KIND_RSH ? launch_rsh(self, payload, header.length, client->fds)
                                              : launch_exec(payload, header.length, client->fds, header.flags);
        for (; client->fd_count; client->fd_count--)
            close(client->fds[client->fd_count - 1]);
        free(client->request);
        client->request = NULL;
        if (client->pid < 0)
            answer(client->fd, W_EXITCODE(255, 0), "fork failed");
        return client->pid > 0;
    case KIND_CTL:
        if (header.length && !payload[header.length - 1]) {
            int error = control(state, self, payload, header.length, text, sizeof text);
            answer(client->fd, error, *text ? text : error ? strerror(error) : "");
        }
        return 0;
    case KIND_PROC:
        answer_proc(client->fd);
        return 0;
    }
    return 0;
}

/* Bytes of a request, never waiting for more: 1 keeps the client. */
static int receive(const char *state, const struct host *self, struct client *client) {
    struct request header;
    char space[CMSG_SPACE(3 * sizeof(int))] __attribute__((aligned(8)));
    if (!client->request) {
        client->size = sizeof header;
        if (!(client->request = malloc(client->size)))
            return 0;
    }
    struct iovec vector = {client->request + client->got, client->size - client->got};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    ssize_t got = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    if (part && part->cmsg_type == SCM_RIGHTS && client->fd_count == 0) {
        client->fd_count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(client->fds, CMSG_DATA(part), client->fd_count * sizeof(int));
    }
    client->got += got;
    if (client->got < client->size)
        return 1;
    memcpy(&header, client->request, sizeof header);
    if (client->size == sizeof header && header.length) {
        if (header.magic != MAGIC || header.length > MAX_REQUEST)
            return 0;
        client->size += header.length;
        char *larger = realloc(client->request, client->size);
        if (!larger)
            return 0;
        client->request = larger;
        return receive(state, self, client);
    }
    return serve(state, self, client);
}

/* A client whose command runs sends signal numbers, or goes away: 1 keeps it. */
static int follow(struct client *client) {
    unsigned char number;
    ssize_t got = recv(client->fd, &number, 1, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 1) {
        int group = number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;
        kill(group ? -client->pid : client->pid, number);
        return 1;
    }
    if (client->flags & FLAG_KILL_WITH_CLIENT)
        kill(client->kind == KIND_RSH ? -client->pid : client->pid, SIGKILL);
    return 0;
}

static void reap(void) {
    int wstatus;
    pid_t pid;
    while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0) {
        service_died(pid);
        for (int i = 0; i < client_count; i++)
            if (clients[i].pid == pid) {
                answer(clients[i].fd, wstatus, "");
                drop(&clients[i]);
                break;
            }
    }
}

static void accept_all(int listener) {
    int fd;
    while (client_count < MAX_CLIENTS && (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        clients[client_count++] = (struct client){.fd = fd};
}

static void loop(const char *state, const struct host *self, int listener, int signals) {
    static struct pollfd polls[MAX_CLIENTS + 2];
    struct signalfd_siginfo info;
    for (;;) {
        polls[0] = (struct pollfd){.fd = client_count < MAX_CLIENTS ? listener : -1, .events = POLLIN};
        polls[1] = (struct pollfd){.fd = signals, .events = POLLIN};
        for (int i = 0; i < client_count; i++)
            polls[i + 2] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
        int count = client_count;
        if (poll(polls, count + 2, -1) < 0)
            continue;
        /* From the end, since a dropped client's place is taken by the last one. */
        for (int i = count - 1; i >= 0; i--)
            if (polls[i + 2].revents) {
                struct client *client = &clients[i];
                if (!(client->pid ? follow(client) : receive(state, self, client)))
                    drop(client);
            }
        if (polls[1].revents)
            while (read(signals, &info, sizeof info) > 0)
                ;
        reap();
        if (polls[0].revents)
            accept_all(listener);
    }
}

static int listen_at(const char *state, const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char directory[PATH_MAX];
    snprintf(directory, sizeof directory, "%s/sock", state);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || chdir(directory) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, 4096) < 0)
        return -1;
    return chdir("/") < 0 ? -1 : fd;
}

static void report(int ready, const struct host *self, const char *what, int error) {
    char line[256];
    int length = error ? snprintf(line, sizeof line, "%s: %s: %s\n", self->name, what, strerror(error))
                       : snprintf(line, sizeof line, "ok\n");
    if (write(ready, line, length) < 0 || error)
        _exit(1);
    close(ready);
}

void hold(const char *state, const struct host *self, int go, int ready) {
    char byte;
    sigset_t mask;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, self->name);
    sigfillset(&mask);
    sigdelset(&mask, SIGSEGV);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    int signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (sethostname(self->name, strlen(self->name)) < 0)
        report(ready, self, "hostname", errno);
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        report(ready, self, "mounting /proc", errno);
    if (apply_binds(state, "binds") < 0 || (strcmp(self->name, "head") == 0 && apply_binds(state, "binds.head") < 0))
        report(ready, self, "bind mount", errno);
    write_text("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    write_text("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
    write_text("/proc/sys/net/ipv4/conf/default/rp_filter", "0");
    if (read(go, &byte, 1) != 1) /* the supervisor is dead already */
        _exit(1);
    close(go);
    write_text("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1");
    int error = net_configure(self->address);
    if (error)
        report(ready, self, "network", error);
    error = link_rate(state) ? net_own_rate(link_rate(state)) : 0;
    if (error)
        report(ready, self, "the link's rate (tbf)", error);
    int listener = listen_at(state, self->name);
    if (listener < 0)
        report(ready, self, "socket", errno);
    error = ensure_service(state, 0);
    if (error)
        report(ready, self, "service", error);
    report(ready, self, "", 0);
    loop(state, self, listener, signals);
}
