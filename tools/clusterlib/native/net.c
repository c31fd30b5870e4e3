/* The network, by rtnetlink: a switch that routes between the hosts, each on a veth of its own.
 *
 * Routed and not bridged: the kernel's table of neighbours is one for the whole machine, with 1024 places
 * by default, which a bridge of a thousand hosts overflows, and each ARP question would go to all of them.
 * Here nothing asks: entries are set by hand, marked as learned elsewhere, so that they don't count, but a
 * link that goes down still loses its own, and "No route to host" comes after 3 s as on a real network. */
#include "common.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#define GATEWAY 0x0a4dfffeu /* 10.77.255.254 */
#define NETWORK 0x0a4d0000u
#define NETWORK_BITS 16

struct message {
    struct nlmsghdr header;
    char body[1024];
};

static void *extend(struct message *m, size_t size) {
    char *place = (char *)m + NLMSG_ALIGN(m->header.nlmsg_len);
    m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + size;
    return place;
}

static struct rtattr *attribute(struct message *m, unsigned type, const void *data, size_t size) {
    struct rtattr *a = extend(m, RTA_LENGTH(size));
    a->rta_type = type;
    a->rta_len = RTA_LENGTH(size);
    if (size)
        memcpy(RTA_DATA(a), data, size);
    return a;
}

static void attribute_u32(struct message *m, unsigned type, uint32_t value) {
    attribute(m, type, &value, sizeof value);
}

static void attribute_ip(struct message *m, unsigned type, uint32_t address) {
    attribute_u32(m, type, htonl(address));
}

static void close_nest(struct message *m, struct rtattr *nest) {
    nest->rta_len = (char *)m + NLMSG_ALIGN(m->header.nlmsg_len) - (char *)nest;
}

static void *begin(struct message *m, unsigned type, unsigned flags, size_t size) {
    memset(m, 0, sizeof *m);
    m->header.nlmsg_len = NLMSG_LENGTH(0);
    m->header.nlmsg_type = type;
    m->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    return extend(m, size);
}

/* The socket belongs to the namespace it was made in: a host opens its own after the clone. */
static int netlink_socket(void) {
    static int fd = -1;
    static pid_t owner;
    if (fd < 0 || owner != getpid()) {
        if (fd >= 0)
            close(fd);
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        owner = getpid();
    }
    return fd;
}

static int ask(struct message *m) {
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[4096];
    } answer;
    int fd = netlink_socket();
    if (fd < 0 || send(fd, m, m->header.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0)
        return errno;
    return answer.header.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EPROTO;
}

static int change_link(unsigned index, int up) {
    struct message m;
    struct ifinfomsg *info = begin(&m, RTM_NEWLINK, 0, sizeof *info);
    info->ifi_index = index;
    info->ifi_change = IFF_UP;
    info->ifi_flags = up ? IFF_UP : 0;
    return ask(&m);
}

static int add_address(unsigned index, uint32_t address, unsigned bits) {
    struct message m;
    struct ifaddrmsg *info = begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof *info);
    info->ifa_family = AF_INET;
    info->ifa_prefixlen = bits;
    info->ifa_index = index;
    attribute_ip(&m, IFA_LOCAL, address);
    attribute_ip(&m, IFA_ADDRESS, address);
    attribute_u32(&m, IFA_FLAGS, IFA_F_NOPREFIXROUTE);
    return ask(&m);
}

static int change_route(int add, unsigned type, uint32_t to, unsigned bits, unsigned device, uint32_t via) {
    struct message m;
    struct rtmsg *route = begin(&m, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_REPLACE : 0,
                                sizeof *route);
    route->rtm_family = AF_INET;
    route->rtm_dst_len = bits;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_type = type;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_scope = type == RTN_UNICAST && !via ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    attribute_ip(&m, RTA_DST, to);
    if (device)
        attribute_u32(&m, RTA_OIF, device);
    if (via) {
        attribute_ip(&m, RTA_GATEWAY, via);
        route->rtm_flags = RTNH_F_ONLINK;
    }
    /* Above a fault's route to the same network, which has metric 0. */
    if (type == RTN_UNICAST)
        attribute_u32(&m, RTA_PRIORITY, 100);
    return ask(&m);
}

static int add_neighbour(unsigned device, uint32_t address, const uint8_t mac[6]) {
    struct message m;
    struct ndmsg *entry = begin(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof *entry);
    entry->ndm_family = AF_INET;
    entry->ndm_ifindex = device;
    entry->ndm_state = NUD_REACHABLE;
    entry->ndm_flags = NTF_EXT_LEARNED;
    attribute_ip(&m, NDA_DST, address);
    attribute(&m, NDA_LLADDR, mac, 6);
    return ask(&m);
}

static void host_mac(uint32_t address, uint8_t mac[6]) {
    uint32_t net = htonl(address);
    mac[0] = 2;
    mac[1] = 0;
    memcpy(mac + 2, &net, 4);
}

static int first_error(int a, int b) {
    return a ? a : b;
}

int net_loopback_up(void) {
    return change_link(1, 1);
}

/* In the switch's namespace: forward between hosts, answer at once for addresses that nobody has. */
int net_switch(void) {
    write_text("/proc/sys/net/ipv4/ip_forward", "1");
    write_text("/proc/sys/net/ipv4/icmp_ratemask", "0");
    write_text("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
    write_text("/proc/sys/net/ipv4/conf/default/rp_filter", "0");
    write_text("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    int error = net_loopback_up();
    error = first_error(error, add_address(1, GATEWAY, 32));
    return first_error(error, change_route(1, RTN_UNREACHABLE, NETWORK, NETWORK_BITS, 0, 0));
}

/* What a device sends goes at so many bytes a second, as over a link of that rate, by a token bucket; 0: as it comes.
 * The bucket has room for 10 ms, the queue for 100: a long one would only be a long way. */
static int set_rate(unsigned device, unsigned rate) {
    struct message m;
    struct tcmsg *info = begin(&m, rate ? RTM_NEWQDISC : RTM_DELQDISC, rate ? NLM_F_CREATE | NLM_F_REPLACE : 0,
                               sizeof *info);
    info->tcm_ifindex = device;
    info->tcm_parent = TC_H_ROOT;
    if (!rate) {
        int error = ask(&m);
        return error == ENOENT || error == EINVAL ? 0 : error; /* there was none */
    }
    uint32_t burst = rate / 100 > 256 << 10 ? 256 << 10 : rate / 100 < 4 << 10 ? 4 << 10 : rate / 100;
    struct tc_tbf_qopt wish = {.rate = {.linklayer = TC_LINKLAYER_ETHERNET, .rate = rate}, .buffer = 1};
    wish.limit = rate / 10 < 32 << 10 ? 32 << 10 : rate / 10;
    info->tcm_handle = 1 << 16;
    attribute(&m, TCA_KIND, "tbf", 4);
    struct rtattr *options = attribute(&m, TCA_OPTIONS, NULL, 0);
    attribute(&m, TCA_TBF_PARMS, &wish, sizeof wish);
    attribute_u32(&m, TCA_TBF_BURST, burst);
    close_nest(&m, options);
    return ask(&m);
}

/* From the switch: the rate of the cable to a host; from the host: that of its own. Bytes a second. */
int net_port_rate(unsigned index, unsigned rate) {
    return set_rate(index + 10, rate);
}

int net_own_rate(unsigned rate) {
    unsigned device = if_nametoindex("eth0");
    return device ? set_rate(device, rate) : ENODEV;
}

/* From the switch: a cable to the host whose first process is given; its end there is eth0. */
int net_plug(unsigned index, uint32_t address, pid_t host) {
    struct message m;
    char name[IFNAMSIZ];
    uint8_t gateway_mac[6], mac[6];
    unsigned device = index + 10;
    uint32_t pid = host;
    host_mac(GATEWAY, gateway_mac);
    host_mac(address, mac);
    snprintf(name, sizeof name, "port%u", index);
    struct ifinfomsg *info = begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof *info);
    info->ifi_index = device;
    info->ifi_flags = info->ifi_change = IFF_UP;
    attribute(&m, IFLA_IFNAME, name, strlen(name) + 1);
    attribute(&m, IFLA_ADDRESS, gateway_mac, 6);
    attribute_u32(&m, IFLA_NUM_TX_QUEUES, 1);
    attribute_u32(&m, IFLA_NUM_RX_QUEUES, 1);
    struct rtattr *linkinfo = attribute(&m, IFLA_LINKINFO, NULL, 0);
    attribute(&m, IFLA_INFO_KIND, "veth", 4);
    struct rtattr *data = attribute(&m, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *peer = attribute(&m, VETH_INFO_PEER, NULL, 0);
    memset(extend(&m, sizeof *info), 0, sizeof *info);
    attribute(&m, IFLA_IFNAME, "eth0", 5);
    attribute(&m, IFLA_ADDRESS, mac, 6);
    attribute_u32(&m, IFLA_NUM_TX_QUEUES, 1);
    attribute_u32(&m, IFLA_NUM_RX_QUEUES, 1);
    attribute(&m, IFLA_NET_NS_PID, &pid, sizeof pid);
    close_nest(&m, peer);
    close_nest(&m, data);
    close_nest(&m, linkinfo);
    int error = ask(&m);
    error = first_error(error, change_route(1, RTN_UNICAST, address, 32, device, 0));
    return first_error(error, add_neighbour(device, address, mac));
}

/* In a host, also again after its link was down, which took the route away. */
int net_configure(uint32_t address) {
    uint8_t gateway_mac[6];
    unsigned device = if_nametoindex("eth0");
    if (!device)
        return ENODEV;
    host_mac(GATEWAY, gateway_mac);
    int error = net_loopback_up();
    error = first_error(error, add_address(device, address, NETWORK_BITS));
    error = first_error(error, change_link(device, 1));
    error = first_error(error, add_neighbour(device, GATEWAY, gateway_mac));
    return first_error(error, change_route(1, RTN_UNICAST, NETWORK, NETWORK_BITS, device, GATEWAY));
}

int net_link(const char *name, int up) {
    unsigned device = if_nametoindex(name);
    return device ? change_link(device, up) : ENODEV;
}

/* type: blackhole (packets vanish) or unreachable (refused at once); prefix: "10.77.0.1/32" */
int net_route(int add, const char *type, const char *prefix) {
    char text[32];
    struct in_addr to;
    snprintf(text, sizeof text, "%s", prefix);
    char *slash = strchr(text, '/');
    unsigned bits = slash ? atoi(slash + 1) : 32;
    if (slash)
        *slash = 0;
    if (inet_pton(AF_INET, text, &to) != 1 || bits > 32)
        return EINVAL;
    unsigned kind = strcmp(type, "blackhole") == 0 ? RTN_BLACKHOLE : RTN_UNREACHABLE;
    return change_route(add, kind, ntohl(to.s_addr), bits, 0, 0);
}
