/* Small helpers: files, the host's socket, messages on it. */
#include "common.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

void warn_line(const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    if (write(2, line, length) < 0)
        return;
}

char *read_file(const char *directory, const char *name, size_t *size) {
    char path[PATH_MAX];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *text = NULL;
    if (fstat(fd, &status) == 0 && (text = calloc(1, status.st_size + 1)) != NULL) {
        ssize_t got = read(fd, text, status.st_size);
        text[got > 0 ? got : 0] = 0;
        if (size)
            *size = got > 0 ? got : 0;
    }
    close(fd);
    return text;
}

/* Bytes a second that all links carry each way; 0: as many as come. */
unsigned link_rate(const char *state) {
    char *text = read_file(state, "rate", NULL);
    unsigned rate = text ? (unsigned)strtoul(text, NULL, 10) : 0;
    free(text);
    return rate;
}

int write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t done = write(fd, text, strlen(text));
    close(fd);
    return done == (ssize_t)strlen(text) ? 0 : -1;
}

/* A relative name, since a Unix socket's path may not be longer than 107 bytes. */
int connect_host(const char *state, const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char directory[PATH_MAX];
    if (!*name || strchr(name, '/') || strlen(name) >= sizeof address.sun_path) {
        errno = ENOENT;
        return -1;
    }
    snprintf(directory, sizeof directory, "%s/sock", state);
    if (chdir(directory) < 0)
        return -1;
    strcpy(address.sun_path, name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        if (errno == EINTR)
            continue;
        close(fd);
        return -1;
    }
    return fd;
}

int send_request(int fd, enum kind kind, unsigned flags, const char *payload, size_t length, const int *fds,
                 int count) {
    struct request header = {MAGIC, kind, flags, length};
    struct iovec vector[2] = {{&header, sizeof header}, {(void *)payload, length}};
    union {
        char space[CMSG_SPACE(3 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
    memset(&control, 0, sizeof control);
    if (count) {
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(part), fds, count * sizeof(int));
    }
    ssize_t sent;
    /* ETOOMANYREFS: a thousand clients at once pass more fds than this user may have in flight. */
    while ((sent = sendmsg(fd, &message, MSG_NOSIGNAL)) < 0 && (errno == EINTR || errno == ETOOMANYREFS)) {
        struct timespec pause = {0, 5000000};
        nanosleep(&pause, NULL);
    }
    if (sent < (ssize_t)sizeof header)
        return -1;
    for (size_t done = sent - sizeof header; done < length; done += sent)
        if ((sent = send(fd, payload + done, length - done, MSG_NOSIGNAL)) < 0) {
            if (errno != EINTR)
                return -1;
            sent = 0;
        }
    return 0;
}

int read_fully(int fd, void *buffer, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)buffer + done, size - done);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return -1;
        if (got > 0)
            done += got;
    }
    return 1;
}

void show_address(uint32_t address, char text[16]) {
    snprintf(text, 16, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}
