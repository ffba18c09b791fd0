# sh readonly.sh FOLDER PROGRAM…: runs the program in FOLDER as a function of AWS Lambda runs: nothing can be written but an empty /tmp,
# and the user has no rights and no home. To be started in a mount namespace of its own.
set -e
folder=$1
shift
mount --make-rprivate /
mount --bind "$folder" /mnt
mount -o remount,bind,ro /mnt
mount -o remount,bind,ro /
mount -t tmpfs none /tmp
chmod 1777 /tmp
cd /mnt
exec setpriv --reuid 65534 --regid 65534 --clear-groups env -u HOME "$@"
