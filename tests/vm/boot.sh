#!/bin/busybox sh
# /init of the initramfs: what is needed to see the disk, then the system on it.
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for module in virtio_pci virtio_blk ext4; do modprobe $module 2>/dev/null; done
for i in 1 2 3 4 5 6 7 8 9 10; do
    [ -b /dev/vda ] && break
    sleep 0.3
done
mount -t ext4 -o noatime /dev/vda /root || { echo "VM: no root"; poweroff -f; }
umount /proc
mount --move /dev /root/dev
exec switch_root /root /vm/guest.sh
