# Read by buildah.sh and podman.sh, not run. It sets `home` and `storage`, and leaves no trace outside the clone: images,
# temporary files and locks lie in .cache/containers. It asks for root and a Debian-like system, and says what is missing.
# shellcheck shell=sh disable=SC2034 # those that read this use what it sets
program=$1
home=$PWD/.cache/containers

if ! command -v "$program" >/dev/null; then
    echo "No $program on this machine: apt-get install --no-install-recommends $program" >&2
    exit 69
fi
if [ "$(id -u)" != 0 ]; then
    echo "This needs root, which uid $(id -u) is not: without an engine only root may enter a container's root folder." \
        "With podman or docker no root is needed (docs/container.md)." >&2
    exit 77
fi

mkdir -p "$home/tmp" "$home/state" "$home/probe"

# overlay shares the base between images and containers; inside a container the kernel may refuse it, and vfs copies.
if [ ! -f "$home/driver" ]; then
    mkdir -p "$home/probe/lower" "$home/probe/upper" "$home/probe/work" "$home/probe/merged"
    options=lowerdir=$home/probe/lower,upperdir=$home/probe/upper,workdir=$home/probe/work
    if unshare --mount mount -t overlay overlay -o "$options" "$home/probe/merged" 2>/dev/null; then
        echo overlay >"$home/driver"
    else
        echo vfs >"$home/driver"
    fi
fi
storage="--root $home/root --runroot $home/run --storage-driver $(cat "$home/driver")"

# The limits are such as a root without CAP_SYS_RESOURCE may set, too. That of files is this process's own: runc sets it twice,
# and cannot raise again what it has lowered.
cat >"$home/containers.conf.$$" <<END
[network]
network_backend = "cni"
network_config_dir = "$home/net"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
[containers]
default_ulimits = ["nofile=$(ulimit -Sn):$(ulimit -Hn)", "nproc=1024:4096"]
END
mv "$home/containers.conf.$$" "$home/containers.conf" # whole at any time: other commands read it now
export TMPDIR="$home/tmp" CONTAINERS_CONF="$home/containers.conf"
