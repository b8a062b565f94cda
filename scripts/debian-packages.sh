#!/bin/sh
# Installs the Debian packages that tests use (tests/debian-packages.txt), and only where that is wanted: with CI=true
# as root. Anywhere else it does nothing, and pytest lists the tests that miss a package as not run.
set -eu
cd "$(dirname "$0")/.."

[ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] || exit 0

log=.cache/logs/debian-packages.log
policy=/usr/sbin/policy-rc.d
mkdir -p .cache/logs

fail() {
    echo "debian-packages: $*" >&2
    exit 1
}

# Runs a program unseen and without input; what it printed is shown only when it fails.
quietly() {
    "$@" </dev/null >"$log" 2>&1 || {
        sed 's/^/    /' "$log" >&2
        return 1
    }
}

missing() {
    grep -v '^#' tests/debian-packages.txt | while IFS=': ' read -r package proof; do
        ls -d $proof >/dev/null 2>&1 || printf '%s ' "$package"
    done
}

# The tests start what they need: dpkg starts no service, and Postfix is left without a configuration.
forbid_services() {
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
    [ -e "$policy" ] && return
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

packages=$(missing)
[ -n "$packages" ] || exit 0
command -v apt-get >/dev/null || fail "no apt-get here, and the tests need: $packages"

echo "debian-packages: installing ${packages}for the tests"
export DEBIAN_FRONTEND=noninteractive
forbid_services
quietly apt-get update || echo "debian-packages: apt-get update failed (above); trying with the lists that are there" >&2
quietly apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 $packages ||
    fail "apt-get could not install ${packages}(its own words are above)"

packages=$(missing)
[ -z "$packages" ] || fail "installed, but not where tests/debian-packages.txt says: $packages"
