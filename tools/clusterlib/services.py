"""What runs on every host beside its first process: nothing (bare), sshd, or inetd with in.rshd.

Only files in the state directory are written; they come to their places in the hosts by bind mounts.
"""

import os
import shutil
import subprocess
from pathlib import Path

from .state import ClusterError, Config, UsageError

Bind = tuple[Path, str]

SSHD_CONFIG = """Port 22
AddressFamily inet
HostKey {where}/ssh/host_key
AuthorizedKeysFile {where}/ssh/authorized_keys
PidFile none
UsePAM no
UseDNS no
StrictModes no
PermitRootLogin yes
PubkeyAuthentication yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
MaxStartups 200:30:300
LoginGraceTime 120
PrintMotd no
PrintLastLog no
AcceptEnv LANG LC_* MPBOOT_*
Subsystem sftp internal-sftp
LogLevel ERROR
"""
SSH_CONFIG = """# This cluster's own, mounted over the system's.
Host *
    AddressFamily inet
    IdentityFile {where}/ssh/client_key
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {where}/ssh/known_hosts
    GlobalKnownHostsFile {where}/ssh/known_hosts
    StrictHostKeyChecking yes
    UpdateHostKeys no
    GSSAPIAuthentication no
"""
# in.rshd asks PAM. Debian's rules want a .rhosts in the real home directory, which stays as it is.
PAM_RSH = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
INETD_CONF = "shell stream tcp nowait.100000 root {in_rshd} in.rshd\n"


def find(program: str) -> str:
    path = ":".join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin"])
    return shutil.which(program, path=path) or ""


def may_change_users() -> bool:
    """Whether root here is root: in some containers it may not change to another user's groups."""
    status = Path("/proc/self/status").read_text()
    capabilities = int(status.partition("CapEff:")[2].split()[0], 16)
    return all(capabilities >> number & 1 for number in (6, 7, 12, 21))  # setgid, setuid, net_admin, sys_admin


def check(mode: str) -> None:
    """Raises UsageError when the mode can't work here."""
    if mode != "bare" and os.geteuid() == 0 and not may_change_users():
        raise UsageError(f"--{mode} as root needs CAP_SYS_ADMIN and CAP_NET_ADMIN here: use --bare, or another user")
    if mode == "ssh":
        missing = [name for name in ("sshd", "ssh", "ssh-keygen") if not find(name)]
        if missing:
            raise UsageError(f"--ssh needs {', '.join(missing)}: apt install openssh-server openssh-client")
        if not Path("/etc/ssh/ssh_config").exists():
            raise UsageError("--ssh needs /etc/ssh/ssh_config: apt install openssh-client")
    if mode == "rsh":
        if os.geteuid() != 0:
            raise UsageError("--rsh needs root: rsh and in.rshd use privileged ports; --ssh and --bare do not")
        missing = [name for name in ("rsh-redone-rsh", "in.rshd", "inetd") if not find(name)]
        if missing:
            raise UsageError(
                f"--rsh needs {', '.join(missing)}: apt install rsh-redone-client rsh-redone-server openbsd-inetd"
            )
        if "514/tcp" not in Path("/etc/services").read_text():
            raise UsageError("--rsh needs shell 514/tcp in /etc/services: apt install netbase")


def make_key(path: Path) -> str:
    """Makes an ed25519 key pair there. Returns the public half."""
    done = subprocess.run(
        [find("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ClusterError(f"ssh-keygen: {done.stderr.strip()}")
    return path.with_name(path.name + ".pub").read_text()


def prepare_ssh(where: Path, config: Config) -> list[Bind]:
    ssh = where / "ssh"
    ssh.mkdir()
    (ssh / "known_hosts").write_text(f"* {make_key(ssh / 'host_key')}")
    (ssh / "authorized_keys").write_text(make_key(ssh / "client_key"))
    (ssh / "no_keys").write_text("")
    make_key(ssh / "other_key")
    (ssh / "sshd_config").write_text(SSHD_CONFIG.format(where=where))
    (ssh / "ssh_config").write_text(SSH_CONFIG.format(where=where))
    command = [find("sshd"), "-D", "-e", "-f", str(ssh / "sshd_config")]
    (where / "service").write_text("\n".join(["22", *command]) + "\n")
    return [(ssh / "ssh_config", "/etc/ssh/ssh_config"), *unlocked_account(where, config)]


def unlocked_account(where: Path, config: Config) -> list[Bind]:
    """sshd lets nobody in whose password is locked with '!', as root's is on some systems. Not so here."""
    shadow = Path("/etc/shadow")
    if not shadow.exists():
        return []
    if os.geteuid() == 0 and f"\n{config.user}:!" not in "\n" + shadow.read_text():
        return []
    (where / "ssh" / "shadow").write_text(f"{config.user}:*:19000:0:99999:7:::\n")
    return [(where / "ssh" / "shadow", "/etc/shadow")]


def prepare_rsh(where: Path) -> list[Bind]:
    (where / "inetd.conf").write_text(INETD_CONF.format(in_rshd=find("in.rshd")))
    (where / "pam-rsh").write_text(PAM_RSH)
    (where / "pam-deny").write_text(PAM_RSH.replace("pam_permit", "pam_deny"))
    command = [find("inetd"), "-i", str(where / "inetd.conf")]
    (where / "service").write_text("\n".join(["514", *command]) + "\n")
    return [(where / "pam-rsh", "/etc/pam.d/rsh")]


def prepare(mode: str, where: Path, config: Config) -> list[Bind]:
    """Writes the mode's files. Returns what is to be mounted where on every host."""
    if mode == "bare":
        return []
    if os.geteuid() == 0:
        (where / "run").mkdir()  # the supervisor makes a /run of the cluster's own of it
    return prepare_ssh(where, config) if mode == "ssh" else prepare_rsh(where)


def environment(mode: str, where: Path) -> dict[str, str]:
    """What commands on the head are given, so that mpboot finds the right rsh."""
    if mode == "bare":
        return {"MPBOOT_RSH": str(where / "bin" / "rsh-standin")}
    return {"MPBOOT_RSH": "rsh"} if mode == "rsh" else {}
