# Starts a Postfix inside a tree that is shared with others and stays as it is: what this instance
# writes goes into memory above the tree (overlayfs). Runs in a mount and a process namespace of
# its own, so that all of it vanishes with its first process.
#
# arguments: the tree; a folder with files to lay over it; an empty folder; a folder that is
# shared with programs outside, for sockets
set -eu
tree=$1 files=$2 scratch=$3 shared=$4

mount -t tmpfs waxseal-e2e "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay waxseal-e2e "$scratch/root" \
    -o "lowerdir=$tree,upperdir=$scratch/upper,workdir=$scratch/work"
mount --rbind /dev "$scratch/root/dev"
mount -t proc proc "$scratch/root/proc"
rm -f "$scratch/root/etc/resolv.conf"
cp -r "$files/." "$scratch/root/"
chown -R root:root "$scratch/root/etc/postfix"
mkdir "$scratch/root/var/spool/postfix/shared"
mount --bind "$shared" "$scratch/root/var/spool/postfix/shared"

# This shell stays the first process, and so the one that the lab's end kills: the master process
# changes its user now and then, by which it would lose the order to die with its parent.
status=0
chroot "$scratch/root" postfix start-fg || status=$?
exit "$status"
