/* What tools/cluster asks of a host: links, routes, mounts, signals. Bind mounts come from lists too. */
#include "common.h"

#include <sys/mount.h>

/* Each line of the list: what, where. */
int apply_binds(const char *state, const char *list) {
    char *text = read_file(state, list, NULL), *save = NULL;
    int result = 0;
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line && !result; line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, '\t');
        if (!space)
            continue;
        *space = 0;
        result = mount(line, space + 1, NULL, MS_BIND | MS_REC, NULL);
    }
    free(text);
    return result;
}

static int bind_over(const char *source, const char *target, int read_only) {
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
        return errno;
    return read_only && mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0 ? errno : 0;
}

static int signal_all(const char *number) {
    int result = kill(-1, atoi(number));
    return result < 0 && errno != ESRCH ? errno : 0;
}

/* What stays a Python program's business (which words make which fault) is decided there. */
int control(const char *state, const struct host *self, const char *payload, size_t length, char *answer,
            size_t size) {
    const char *words[8] = {"", "", "", "", "", "", "", ""};
    int count = 0;
    for (const char *word = payload; word < payload + length && count < 8; word += strlen(word) + 1)
        words[count++] = word;
    const char *verb = words[0];
    if (strcmp(verb, "link") == 0)
        return strcmp(words[1], "up") == 0 ? net_configure(self->address) : net_link("eth0", 0);
    if (strcmp(verb, "rate") == 0) /* of what it sends; without a number that of all links */
        return net_own_rate(*words[1] ? (unsigned)atoi(words[1]) : link_rate(state));
    if (strcmp(verb, "route") == 0) {
        int error = net_route(strcmp(words[1], "add") == 0, words[2], words[3]);
        return error == ESRCH ? 0 : error;
    }
    if (strcmp(verb, "bind") == 0)
        return bind_over(words[1], words[2], strcmp(words[3], "ro") == 0);
    if (strcmp(verb, "unbind") == 0)
        return umount2(words[1], MNT_DETACH) < 0 && errno != EINVAL ? errno : 0;
    if (strcmp(verb, "signal") == 0)
        return signal_all(words[1]);
    if (strcmp(verb, "service") == 0) { /* the listener alone; sessions go on, as after a restart of sshd */
        if (strcmp(words[1], "signal") == 0)
            return signal_service(atoi(words[2]));
        return ensure_service(state, strcmp(words[1], "restart") == 0);
    }
    snprintf(answer, size, "unknown request: %s", verb);
    return EINVAL;
}
