#!/bin/bash
# Program of each machine of a cluster. cluster.yaml and on_premise.yaml run it on every node, and the verbs too.
#
#   node.sh install              create groupdir's environment, or update it
#   node.sh COMMAND [WORD...]    run a command in the environment, such as `node.sh ray status`
#   node.sh remove [--keep]      remove what `groupdir up` has put here; --keep: keep the environment and the checkout
#
# It changes nothing but its own folder ($own below), ~/groupdir, and Ray's files. It reads no file of the shell
# (~/.bashrc) and writes none: what a site needs (modules, a proxy, another Python) stands in site.sh beside this file.
set -euo pipefail
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
user=$(id -un)

# Homes on a network file system are the same on all machines, and several machines would install into one folder at
# once. There, each machine has its own folder on its own disk.
kind=${GROUPDIR_HOME_KIND:-$(stat -f -c %T "$HOME")}
case $kind in
    nfs* | lustre | gpfs | ceph | cephfs | smb* | cifs | afs | panfs | beegfs | wekafs | fuse* | glusterfs)
        own=${GROUPDIR_LOCAL:-/var/tmp}/groupdir-$user
        ;;
    *) own=$HOME/.groupdir ;;
esac
environment=$own/venv

PYTHON=python3
MODULES=()
ENVIRONMENT=
CONTAINER=
CONTAINER_OPTIONS=()
# shellcheck source=/dev/null
[ ! -e "$checkout/launch/cluster/site.sh" ] || . "$checkout/launch/cluster/site.sh"
for module in ${MODULES[@]+"${MODULES[@]}"}; do
    if ! command -v module > /dev/null; then # a shell that is not interactive may not have it yet
        for file in /etc/profile.d/modules.sh /etc/profile.d/lmod.sh /etc/profile.d/z00_lmod.sh; do
            # shellcheck source=/dev/null
            [ ! -e "$file" ] || { set +u; . "$file"; set -u; }
        done
    fi
    set +u
    module load "$module"
    set -u
done
environment=${ENVIRONMENT:-$environment}

in_container() {
    if [ -n "$CONTAINER" ]; then
        apptainer exec ${CONTAINER_OPTIONS[@]+"${CONTAINER_OPTIONS[@]}"} "$CONTAINER" "$@"
    else
        "$@"
    fi
}

# Install under a lock: two commands, or two machines that share a folder after all, install one after the other.
install() {
    if [ -n "$ENVIRONMENT" ]; then
        in_container "$environment/bin/python" -c "import groupdir, ray" && return
        echo "node.sh: $(hostname): ENVIRONMENT in site.sh must have groupdir's packages, got $ENVIRONMENT" >&2
        return 1
    fi
    mkdir -p "$own"
    exec 9> "$own/install.lock"
    flock 9
    in_container test -x "$environment/bin/pip" || in_container "$PYTHON" -m venv --clear "$environment"
    in_container "$environment/bin/pip" install --disable-pip-version-check -e "${checkout}[cluster]" \
        -c "$checkout/constraints.txt" 9>&-
}

# What is removed and what stays is listed in docs/cluster.md. Results stay, and so does a checkout of your own: `up`
# copies neither tests/ nor docs/.
remove() {
    rm -f ~/ray_bootstrap_config.yaml ~/ray_bootstrap_key.pem
    [ "${1:-}" != --keep ] || return 0
    rm -rf "$own"
    if [ -e "$checkout/.git" ] || [ -e "$checkout/tests" ] || [ -e "$checkout/docs" ]; then
        echo "$checkout stays, because it is a checkout of your own"
        return 0
    fi
    for part in groupdir launch analysis search_spaces pyproject.toml constraints.txt README.md LICENSE \
        groupdir.egg-info; do
        rm -rf "${checkout:?}/$part"
    done
    rmdir "$checkout" 2> /dev/null || echo "$checkout stays, because it has other files: $(ls -Am "$checkout")"
}

case ${1:-} in
    install) install ;;
    remove) remove "${2:-}" ;;
    '') sed -n '2,7p' "${BASH_SOURCE[0]}" && exit 2 ;;
    *)
        export PATH=$environment/bin:$PATH
        [ -n "$CONTAINER" ] || exec "$@"
        in_container env PATH="$environment/bin:/usr/local/bin:/usr/bin:/bin" "$@"
        ;;
esac
