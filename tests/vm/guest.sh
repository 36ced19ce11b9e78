#!/bin/sh
# What runs in the virtual machine.  As process 1 it waits for orphans and for itself as another process, which mounts
# what a system has, starts the agent, runs the checks, says what came of each on the console; then the machine goes off.
#
# A check is a function t_NAME in a subshell.  It fails by `no WHY`, is left out by `skip WHY`; what is said by a
# check that holds is not shown.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
export BALLAST_HOST=unix:///run/ballast/ballast.sock
CG=/sys/fs/cgroup
AGENT="ballastd -H unix:///run/ballast/ballast.sock --instance ballast"

no() { echo "$*"; exit 1; }
skip() { echo "$*"; exit 77; }
want() { [ "$2" = "$3" ] || no "$1: '$2' instead of '$3'"; } # want WHAT GOT WANTED
has() { case $2 in *"$3"*) ;; *) no "$1: no '$3' in '$2'" ;; esac; } # has WHAT TEXT PART
soon() { # soon WHAT COMMAND...: within 20 seconds
    what=$1
    shift
    for _ in $(seq 100); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.2
    done
    no "not in time: $what"
}
api() { # api METHOD PATH [BODY]
    curl -sS -m 60 --unix-socket /run/ballast/ballast.sock -X "$1" -H 'Content-Type: application/json' ${3:+-d "$3"} "http://d$2"
}
ip() { /usr/sbin/ip "$@"; } # this shell prefers its own, which is not enough
run() { ballast run "$@"; }
start() { # start NAME ARGUMENTS...: in the background; $id, $dir
    name=$1
    shift
    id=$(run -d --name "$name" "$@") || no "cannot start $name: $id"
    dir=$CG/ballast/$id
}
value() { cat "$dir/$1"; }
agent_pid() { cat /run/ballast/ballast.pid; }
answers() { [ "$(api GET /_ping)" = OK ]; }
start_agent() {
    ($AGENT --pidfile /run/ballast/ballast.pid "$@" >>/var/log-agent 2>&1 &) # process 1 buries it
    soon "the agent answers" answers
}

# ------------------------------------------------------------------ the host

t_doctor() {
    out=$(ballast doctor) || no "exit $?: $out"
    echo "$out" >/dev/console
    for feature in memory cpu cpuset pids blkio freezer devices; do
        echo "$out" | grep -E "cgroup-$feature +ok" >/dev/null || no "cgroup-$feature: $(echo "$out" | grep "cgroup-$feature")"
    done
    for feature in overlayfs seccomp user-namespace apparmor pidfd mount-api; do
        echo "$out" | grep -E "^$feature +ok" >/dev/null || no "$feature: $(echo "$out" | grep "^$feature")"
    done
    echo "$out" | grep -E '^cgroup +v2' >/dev/null || no "not cgroup v2: $out"
}
t_info() {
    info=$(api GET /v1.51/info)
    for word in '"CgroupVersion":"2"' '"Driver":"overlay2"' '"MemoryLimit":true' '"PidsLimit":true' '"CPUSet":true'; do
        has info "$info" "$word"
    done
}

# A second agent, whose data is on a file system with project quotas.
t_quota() {
    modprobe -q loop
    modprobe -q quota_v2
    mkdir -p /q && mount -o loop,prjquota /vm/quota.img /q || no "this kernel mounts no ext4 with project quotas"
    second="ballastd -H unix:///run/q.sock --instance q --data-root /q/data --exec-root /run/q --pidfile /run/q.pid"
    ($second >/var/log-q 2>&1 &)
    soon "the second agent answers" curl -sSf --unix-socket /run/q.sock http://d/_ping
    export BALLAST_HOST=unix:///run/q.sock
    ballast load -q -i "$(ls /vm/*busybox*.tar | head -n 1)" || no "cannot load busybox"
    ballast volume create -o size=2m small || no "no volume with a size"
    fill='dd if=/dev/zero of=$0 bs=1M count=5 2>/dev/null; stat -c %s $0'
    for _ in 1 2; do # the limit is the volume's, whoever writes
        size=$(run --rm --network none -v small:/v busybox sh -c "$fill" /v/f)
        [ "$size" -le 2097152 ] && [ "$size" -ge 1048576 ] || no "5 MB in a volume of 2: $size"
    done
    size=$(run --rm --network none -v free:/v busybox sh -c "$fill" /v/f)
    want "a volume without a limit" "$size" 5242880
    body='{"Image":"busybox","Cmd":["sh","-c","'$(echo "$fill" | sed 's/\$0/\/f/g')'"],"HostConfig":{"NetworkMode":"none","StorageOpt":{"size":"3m"}}}'
    id=$(curl -sS --unix-socket /run/q.sock -H 'Content-Type: application/json' -d "$body" http://d/containers/create?name=cc | cut -d'"' -f4)
    curl -sS --unix-socket /run/q.sock -X POST "http://d/containers/$id/start"
    curl -sS --unix-socket /run/q.sock -X POST "http://d/containers/$id/wait" >/dev/null
    size=$(ballast logs cc)
    [ "$size" -le 3145728 ] && [ "$size" -ge 1048576 ] || no "5 MB in a container of 3: $size"
    ballast rm cc && ballast volume rm small free || no "cannot remove them"
    pid=$(cat /run/q.pid)
    kill "$pid"
    soon "the second agent ends" sh -c "! kill -0 $pid"
    $second --erase >/tmp/o 2>&1 || no "erase: $(cat /tmp/o)"
}

# ------------------------------------------------------------------ a container

t_run_exit_code() {
    out=$(run --rm busybox sh -c 'echo out; exit 7')
    want "exit code" $? 7
    want output "$out" out
}
t_run_removes() {
    run --rm --name gone busybox true || no "exit $?"
    has "after --rm" "$(api GET /containers/gone/json)" "No such container"
    [ -z "$(ls -d $CG/ballast/*/ 2>/dev/null)" ] || no "left: $(ls -d $CG/ballast/*/)"
}
t_limits() {
    start limits -m 64m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 --pids-limit 50 --cpuset-cpus 1 busybox sleep 300
    want memory.max "$(value memory.max)" 67108864
    want memory.low "$(value memory.low)" 33554432
    [ ! -e "$dir/memory.swap.max" ] || want memory.swap.max "$(value memory.swap.max)" 67108864
    want cpu.max "$(value cpu.max)" "50000 100000"
    want cpu.weight "$(value cpu.weight)" 20
    want pids.max "$(value pids.max)" 50
    want cpuset.cpus "$(value cpuset.cpus)" 1
    want "cpus it may run on" "$(ballast exec limits nproc)" 1
}
t_update() {
    start update -m 64m busybox sleep 300
    out=$(api POST /containers/update/update '{"Memory":134217728,"MemorySwap":268435456,"PidsLimit":30,"NanoCpus":1500000000}')
    case $out in *"not implemented"*) skip "not there yet" ;; esac
    want memory.max "$(value memory.max)" 134217728
    want pids.max "$(value pids.max)" 30
    want "cpu.max ($out)" "$(value cpu.max)" "150000 100000"
}
t_stats() {
    start stats -m 64m busybox sleep 300
    out=$(api GET '/containers/stats/stats?stream=false&one-shot=true')
    case $out in *"not implemented"*) skip "not there yet" ;; esac
    has stats "$out" '"limit":67108864'
    echo "$out" | grep -E '"usage":[1-9]' >/dev/null || no "no usage: $out"
    echo "$out" | grep -E '"current":[1-9]' >/dev/null || no "no processes: $out"
    has "memory of cgroup v2" "$out" '"inactive_file":'
    case $out in *'"max_usage"'* | *'"failcnt"'* | *'"percpu_usage"'*) no "what cgroup v2 has not: $out" ;; esac
    ballast exec stats sh -c 'dd if=/dev/zero of=/big bs=1M count=4 2>/dev/null; sync' || no "cannot write"
    soon "io is counted" sh -c 'curl -sS --unix-socket /run/ballast/ballast.sock "http://d/containers/stats/stats?stream=false&one-shot=true" |
        grep -E "\"io_service_bytes_recursive\":\\[\\{\"major\":[0-9]+,\"minor\":[0-9]+,\"op\":\"(read|write)\",\"value\":[0-9]"'
}
t_oom() {
    start oom -m 16m --memory-swap 16m busybox dd if=/dev/zero of=/dev/shm/x bs=1M count=60
    api POST /containers/oom/wait >/dev/null
    state=$(api GET /containers/oom/json)
    has state "$state" '"ExitCode":137'
    has state "$state" '"OOMKilled":true'
}
t_oom_live() { # the event comes while it runs, and a limit that was raised or lowered is the one that counts
    start oomlive -m 96m --memory-swap 96m busybox sleep 300
    curl -sSN -m 60 --unix-socket /run/ballast/ballast.sock 'http://d/events?filters=%7B%22event%22%3A%5B%22oom%22%2C%22die%22%5D%7D' >/tmp/events 2>/dev/null &
    stream=$!
    fill='dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null; echo $?; rm -f /dev/shm/x'
    want "within the limit" "$(ballast exec oomlive sh -c "$fill")" 0
    out=$(api POST /containers/oomlive/update '{"Memory":16777216,"MemorySwap":16777216}')
    want "memory.max ($out)" "$(value memory.max)" 16777216
    want "beyond the new one" "$(ballast exec oomlive sh -c "$fill")" 137
    soon "the event" grep -q '"Action":"oom"' /tmp/events
    grep -q '"Action":"die"' /tmp/events && no "it died: $(cat /tmp/events)"
    has state "$(api GET /containers/oomlive/json)" '"Running":true'
    kill $stream
}
t_oom_child() {
    start oomchild -m 16m --memory-swap 16m busybox sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=60; echo "dd: $?"; exit 3'
    has "wait" "$(api POST /containers/oomchild/wait)" '"StatusCode":3'
    has logs "$(ballast logs oomchild 2>&1)" "dd: 137"
    has events "$(api GET "/events?since=0&until=$(($(date +%s) + 1))")" '"Action":"oom"'
}
t_fork_bomb() {
    start bomb --pids-limit 20 busybox sleep 300
    ballast exec bomb sh -c 'for i in 1 2 3 4 5 6; do for j in 1 2 3 4 5 6; do sleep 200 & done; done; sleep 200' >/dev/null 2>&1 &
    soon "the limit is hit" grep -E '^max [1-9]' "$dir/pids.events"
    [ "$(value pids.current)" -le 20 ] || no "$(value pids.current) processes"
    ballast stop -t 1 bomb >/dev/null || no "cannot be stopped"
    [ ! -e "$dir" ] || no "its cgroup stays"
}
t_pause() {
    start pause busybox sh -c 'i=0; while :; do i=$((i+1)); echo $i > /n; sleep 0.1; done'
    soon "it counts" ballast exec pause test -s /n
    api POST /containers/pause/pause
    want cgroup.freeze "$(value cgroup.freeze)" 1
    grep -q 'frozen 1' "$dir/cgroup.events" || no "not frozen: $(value cgroup.events)"
    has state "$(api GET /containers/pause/json)" '"Status":"paused"'
    has "exec into it" "$(ballast exec pause true 2>&1)" "is paused"
    api POST /containers/pause/unpause
    want cgroup.freeze "$(value cgroup.freeze)" 0
    a=$(ballast exec pause cat /n)
    sleep 1
    [ "$(ballast exec pause cat /n)" -gt "$a" ] || no "it does not count any more"
}
t_remove_paused() {
    start frozen busybox sleep 300
    api POST /containers/frozen/pause
    ballast rm -f frozen >/dev/null || no "cannot be removed"
    [ ! -e "$dir" ] || no "its cgroup stays"
}

# ------------------------------------------------------------------ devices

t_device_rules() {
    run --rm busybox sh -c 'echo x >/dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom >/dev/null && : </dev/tty' >/tmp/o 2>&1
    has "the usual ones" "$(cat /tmp/o)" 4
    numbers=$(ls -ln /dev/vda | awk '{ sub(",", "", $5); print $5, $6 }')
    out=$(run --rm busybox sh -c "mknod /disk b $numbers && ls -l /disk && head -c 1 /disk" 2>&1)
    has "mknod" "$out" brw
    has "open of the host's disk" "$out" "Operation not permitted"
    out=$(run --rm busybox sh -c 'mknod /kmsg c 1 11 && head -c 1 /kmsg' 2>&1)
    has "open of the kernel's log" "$out" "Operation not permitted"
}
t_device_given() {
    out=$(run --rm --device /dev/vda:/dev/disk:r busybox sh -c 'head -c 512 /dev/disk | wc -c; : >>/dev/disk' 2>&1)
    has "read" "$out" 512
    has "write" "$out" "Operation not permitted"
}
t_privileged_devices() { want read "$(run --rm --privileged busybox sh -c 'head -c 512 /dev/vda | wc -c' 2>&1)" 512; }
t_device_rules_last() { # also after an update, which attaches nothing anew, and for exec
    start devices busybox sleep 300
    api POST /containers/devices/update '{"PidsLimit":40}' >/dev/null
    has "exec" "$(ballast exec devices sh -c 'mknod /kmsg c 1 11; head -c 1 /kmsg' 2>&1)" "Operation not permitted"
    ballast exec devices sh -c 'echo x >/dev/null' || no "/dev/null is gone"
}

# ------------------------------------------------------------------ the cgroup as a container sees it

t_cgroupns_private() {
    want /proc/self/cgroup "$(run --rm busybox cat /proc/self/cgroup)" "0::/"
    out=$(run --rm busybox sh -c 'grep " /sys/fs/cgroup " /proc/self/mountinfo; cat /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x' 2>&1)
    has mount "$out" "- cgroup2 "
    has mount "$out" " ro,"
    has "own processes only" "$out" "
1
"
    has "mkdir in it" "$out" "Read-only file system"
    want "its limit" "$(run --rm -m 48m busybox cat /sys/fs/cgroup/memory.max)" 50331648
}
t_cgroupns_host() {
    start hostns --cgroupns host busybox sleep 300
    want /proc/self/cgroup "$(ballast exec hostns cat /proc/1/cgroup)" "0::/ballast/$id"
    ballast exec hostns test -d "/sys/fs/cgroup/ballast/$id" || no "the host's tree is not seen"
}
t_cgroup_privileged() {
    run --rm --privileged busybox sh -c 'mkdir /sys/fs/cgroup/x && rmdir /sys/fs/cgroup/x' || no "cannot make a cgroup of its own"
}
t_exec_joins() {
    start joins busybox sleep 300
    ballast exec joins sleep 222 >/dev/null 2>&1 &
    soon "both are in it" sh -c "[ \$(wc -l <$dir/cgroup.procs) = 2 ]"
    want "cgroup of exec" "$(ballast exec joins cat /proc/self/cgroup)" "0::/"
}
t_nested_cgroup() { # what a container has made below its own goes with it
    start nest --privileged busybox sh -c 'mkdir -p /sys/fs/cgroup/a/b && echo $$ >/sys/fs/cgroup/a/b/cgroup.procs && touch /ok && sleep 300'
    soon "it has moved" ballast exec nest test -e /ok
    ballast exec nest true || no "exec beside a nested cgroup: exit $?"
    ballast rm -f nest >/dev/null || no "cannot be removed"
    [ ! -e "$dir" ] || no "its cgroup stays: $(find "$dir" -type d)"
}
t_cgroup_parent() {
    id=$(run -d --name parent --cgroup-parent /elsewhere/deep busybox sleep 300)
    [ -d "$CG/elsewhere/deep/$id" ] || no "not there: $(find $CG -name "$id")"
    ballast rm -f parent >/dev/null
    [ ! -e "$CG/elsewhere/deep/$id" ] || no "it stays"
}
t_stop_leaves_nothing() {
    start leaves -p 8099:80 busybox sleep 300
    ballast stop -t 1 leaves >/dev/null || no "stop: $?"
    [ ! -e "$dir" ] || no "the cgroup stays"
    ballast start leaves >/dev/null || no "start: $?"
    [ -e "$dir" ] || no "no cgroup after start"
    ballast rm -f leaves >/dev/null || no "rm: $?"
    [ ! -e "$dir" ] || no "the cgroup stays after rm"
    ip -o link | grep veth && no "a veth stays"
    grep -E 'overlay|ballast/netns' /proc/mounts && no "a mount stays"
    nft list ruleset | grep 8099 && no "a rule stays"
    true
}

# ------------------------------------------------------------------ the agent

t_agent_killed() {
    start survivor -m 32m busybox sh -c 'trap "exit 5" TERM; while :; do sleep 0.2; done'
    kill -9 "$(agent_pid)"
    sleep 1
    [ -n "$(value cgroup.procs)" ] || no "it went with the agent"
    start_agent
    has state "$(api GET /containers/survivor/json)" '"Running":true'
    want exec "$(ballast exec survivor echo in)" in
    want memory.max "$(value memory.max)" 33554432
    kill -9 "$(agent_pid)"
    kill -TERM "$(head -n 1 "$dir/cgroup.procs")"
    soon "it ends alone" sh -c "[ ! -e $dir ]"
    start_agent
    has state "$(api GET /containers/survivor/json)" '"ExitCode":5'
}
t_compose() {
    mkdir -p /root/app
    cat >/root/app/compose.yaml <<'YAML'
name: shop
services:
  web:
    image: busybox
    command: httpd -f -p 80 -h /data
    mem_limit: 32m
    pids_limit: 30
    ports: ["8082:80"]
    healthcheck: {test: wget -qO- http://127.0.0.1/seed, interval: 1s}
  client:
    image: busybox
    command: sh -c 'wget -qO- http://web/seed && sleep 300'
    depends_on: {web: {condition: service_healthy}}
YAML
    (cd /root/app && ballast apply --wait) >/tmp/o 2>&1 || no "apply: $(cat /tmp/o)"
    want "published" "$(wget -qO- http://127.0.0.1:8082/seed 2>&1)" "from the image"
    has status "$(ballast status 2>&1)" shop
    ballast remove shop >/tmp/o 2>&1 || no "remove: $(cat /tmp/o)"
    soon "all of it is gone" sh -c "[ -z \"\$(ls -d $CG/ballast/*/ 2>/dev/null)\" ]"
}

# ------------------------------------------------------------------ networks and volumes

t_published_port() {
    start web -p 8080:80 -p 127.0.0.1:8081:80 busybox httpd -f -p 80 -h /data
    soon "the server is up" wget -qO- http://127.0.0.1:8080/seed
    want "from the host's loopback" "$(wget -qO- http://127.0.0.1:8080/seed 2>&1)" "from the image"
    want "from the host's address" "$(wget -qO- http://198.51.100.7:8080/seed 2>&1)" "from the image"
    want "from the network" "$(nsenter --net=/run/netns/lan timeout 5 wget -qO- http://198.51.100.7:8080/seed 2>&1)" "from the image"
    want "one address only" "$(wget -qO- http://127.0.0.1:8081/seed 2>&1)" "from the image"
    nsenter --net=/run/netns/lan timeout 3 wget -qO- http://198.51.100.7:8081/seed >/dev/null 2>&1 && no "reached at an address that was not given"
    want "from itself" "$(ballast exec web timeout 5 wget -qO- http://198.51.100.7:8080/seed 2>&1)" "from the image"
}
t_outbound() {
    nsenter --net=/run/netns/lan httpd -p 8090 -h /vm/www
    want "masqueraded" "$(run --rm --init busybox timeout 5 wget -qO- http://198.51.100.9:8090/hello 2>&1)" "from the lan"
    want "not when internal" "$(api POST /networks/create '{"Name":"inner","Internal":true}' >/dev/null
        run --rm --init --network inner busybox timeout 2 wget -qO- http://198.51.100.9:8090/hello 2>/dev/null)" ""
}
t_user_network() {
    has create "$(api POST /networks/create '{"Name":"n1"}')" '"Id"'
    start server --network n1 --network-alias api busybox httpd -f -p 80 -h /data
    has /etc/hosts "$(run --rm --network n1 --name other busybox cat /etc/hosts)" other
    want "by name" "$(run --rm --init --network n1 busybox timeout 5 wget -qO- http://server/seed 2>&1)" "from the image"
    want "by alias" "$(run --rm --init --network n1 busybox timeout 5 wget -qO- http://api/seed 2>&1)" "from the image"
    run --rm --init busybox timeout 2 wget -qO- "http://$(ballast exec server hostname -i)/seed" >/dev/null 2>&1 && no "reached from another network"
    ballast rm -f server >/dev/null
    out=$(api DELETE /networks/n1)
    [ -z "$out" ] || no "remove: $out"
}
t_bridge_netfilter() { # a host that hands bridged frames to its rules, as many with Kubernetes or libvirt do
    modprobe br_netfilter || skip "no br_netfilter in this kernel"
    api POST /networks/create '{"Name":"n2"}' >/dev/null
    start server2 --network n2 busybox httpd -f -p 80 -h /data
    want "within the network" "$(run --rm --init --network n2 busybox timeout 5 wget -qO- http://server2/seed 2>&1)" "from the image"
}
t_net_modes() {
    has host "$(run --rm --network host busybox ip -o addr)" 198.51.100.7
    want none "$(run --rm --network none busybox sh -c 'ls /sys/class/net')" lo
    start provider busybox httpd -f -p 80 -h /data
    want container "$(run --rm --init --network container:provider busybox timeout 5 wget -qO- http://127.0.0.1/seed 2>&1)" "from the image"
}
t_volume_copy_up() {
    out=$(run --rm -v seeds:/data busybox sh -c 'stat -c "%u %a" /data/seed; cat /data/seed; echo more >/data/more')
    want "content of the image" "$out" "1000 640
from the image"
    want "kept" "$(run --rm -v seeds:/d:ro busybox cat /d/more)" more
    has "read-only" "$(run --rm -v seeds:/d:ro busybox touch /d/x 2>&1)" "Read-only file system"
    [ -z "$(api DELETE /volumes/seeds)" ] || no "cannot be removed"
}
t_bind() {
    mkdir -p /root/bind && echo host >/root/bind/f
    want bind "$(run --rm -v /root/bind:/b:ro busybox sh -c 'cat /b/f; touch /b/x 2>&1')" "host
touch: /b/x: Read-only file system"
    want tmpfs "$(run --rm --tmpfs /t:size=1m busybox sh -c 'df -k /t | tail -n 1 | awk "{print \$2}"')" 1024
}

# The kernel's own server, whose three caches are filled by hand: no daemon answers its questions here.
serve_nfs() { # serve_nfs DIRECTORY: to this host, as the root of NFS 4
    modprobe -q nfsd && modprobe -q nfsv4 || return 77
    mount -t nfsd nfsd /proc/fs/nfsd || return 1
    later=$(($(date +%s) + 3600))
    flags=$((0x2 | 0x10 | 0x400 | 0x2000)) # any port, asynchronous, no subtree check, with a number
    echo "nfsd 127.0.0.1 $later here" >/proc/net/rpc/auth.unix.ip/channel &&
        echo "here $1 $later $flags 65534 65534 0" >/proc/net/rpc/nfsd.export/channel &&
        printf 'here 1 \\x00000000 %s %s\n' "$later" "$1" >/proc/net/rpc/nfsd.fh/channel || return 1
    echo "-2 -3 +4" >/proc/fs/nfsd/versions 2>/dev/null || echo "-3 +4" >/proc/fs/nfsd/versions || return 1
    for wait in nfsv4leasetime nfsv4gracetime; do echo 10 >/proc/fs/nfsd/$wait || return 1; done # for clients of before
    echo "tcp 2049" >/proc/fs/nfsd/portlist && echo 4 >/proc/fs/nfsd/threads || return 1
}
t_nfs() {
    mkdir -p /export && mount -t tmpfs export /export && echo served >/export/before
    serve_nfs /export
    case $? in 0) ;; 77) skip "no NFS in this kernel" ;; *) no "the kernel's server does not start" ;; esac
    nfs='{"Name":"share","Driver":"local","DriverOpts":{"type":"nfs","device":":/","o":"addr=127.0.0.1,rw,nfsvers=4.2,soft,timeo=50"}}'
    has create "$(api POST /volumes/create "$nfs")" '"Name":"share"'
    want "read and write in a container" "$(run --rm -v share:/s busybox sh -c 'cat /s/before; echo written >/s/after; grep -c " /s nfs4 " /proc/mounts' 2>&1)" "served
1"
    want "what the server has" "$(cat /export/after)" written
    grep -q ' nfs4 ' /proc/mounts && no "the mount stays: $(grep nfs4 /proc/mounts)"
    start one -v share:/s busybox sh -c 'while :; do sleep 0.2; done'
    want "a second container" "$(run --rm -v share:/s:ro busybox sh -c 'cat /s/after; touch /s/x' 2>&1)" "written
touch: /s/x: Read-only file system"
    ballast exec one touch /s/still || no "the first lost it"
    ballast rm -f one >/dev/null
    grep -q ' nfs4 ' /proc/mounts && no "the mount stays: $(grep nfs4 /proc/mounts)"
    [ -z "$(api DELETE /volumes/share)" ] || no "cannot be removed"
    want "after the volume" "$(ls /export | tr '\n' ' ')" "after before still "
    has "another server" "$(api POST /volumes/create '{"Name":"none","DriverOpts":{"type":"nfs","device":":/nope","o":"addr=127.0.0.1,nfsvers=4.2,soft"}}')" none
    has "a wrong path" "$(run --rm -v none:/s busybox true 2>&1)" "no such file or directory"
    api DELETE /volumes/none
    echo 0 >/proc/fs/nfsd/threads
}

# ------------------------------------------------------------------ layers

t_many_layers() {
    want "last layer" "$(run --rm layers cat /layers/last)" 119
    want "all of them" "$(run --rm layers sh -c 'ls /layers | grep -c "^[0-9]"')" 120
    want "whiteouts" "$(run --rm layers sh -c 'ls /layers | grep hide')" hide119
    want "writable" "$(run --rm layers sh -c 'rm -r /layers && mkdir /layers && ls /layers; echo x >/layers/y; cat /layers/y')" x
}
t_root_restart() { # what was written outlives a stop; the root is mounted anew
    start again busybox sh -c 'echo x >>/n; wc -l </n; rm -f /data/seed; ls /data'
    api POST /containers/again/wait >/dev/null
    ballast start again >/dev/null
    api POST /containers/again/wait >/dev/null
    want logs "$(ballast logs again)" "1
2"
}
t_read_only() { has write "$(run --rm --read-only busybox touch /x 2>&1)" "Read-only file system"; }
t_commit_layer() { # the rights of a fresh root are the image's
    want rights "$(run --rm busybox stat -c '%a %u' / /tmp /data/seed)" "755 0
1777 0
640 1000"
}

# ------------------------------------------------------------------ security

t_apparmor() {
    [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || skip "AppArmor is off"
    cat >/tmp/profile <<'AA'
profile ballast-test flags=(attach_disconnected,mediate_deleted) {
  capability,
  network,
  file,
  signal,
  deny /data/** rw,
}
AA
    apparmor_parser -r -K /tmp/profile || no "apparmor_parser cannot load a profile here"
    out=$(run --rm --security-opt apparmor=ballast-test busybox sh -c 'cat /proc/self/attr/current; cat /data/seed' 2>&1)
    has confined "$out" "ballast-test (enforce)"
    has "what it denies" "$out" "Permission denied"
    start confined --security-opt apparmor=ballast-test busybox sleep 300
    has exec "$(ballast exec confined cat /proc/self/attr/current)" "ballast-test (enforce)"
    want unconfined "$(run --rm --security-opt apparmor=unconfined busybox cat /proc/self/attr/current)" unconfined
}
t_apparmor_unknown() {
    out=$(run --rm --security-opt apparmor=no-such-profile busybox true 2>&1)
    [ $? -gt 124 ] || no "it runs: $out"
    has error "$out" "unable to start container process: error during container init: unable to apply apparmor profile: apparmor failed to apply profile: write /proc/thread-self/attr/apparmor/exec: no such file or directory"
}
t_apparmor_default() { # what a root with all file systems writable and all capabilities still cannot do
    has /info "$(api GET /v1.51/info)" '"name=apparmor","name=seccomp,profile=builtin","name=cgroupns"'
    label='cat /proc/self/attr/current'
    want default "$(run --rm busybox $label)" "ballast-default (enforce)"
    want "with --init" "$(run --rm --init busybox $label)" "ballast-default (enforce)"
    want unconfined "$(run --rm --security-opt apparmor=unconfined busybox $label)" unconfined
    want privileged "$(run --rm --privileged busybox $label)" unconfined
    cat >/tmp/attack <<'SH'
try() { "$@" >/tmp/o 2>&1 && echo "done: $*" || echo "$1: $(tail -n 1 /tmp/o)"; }
put() { printf %s "$(cat "$1")" >"$1"; }
mount -o remount,rw /sys 2>/dev/null
try mount -t tmpfs x /tmp
try mount -o remount,rw /
try put /proc/sys/vm/swappiness
try put /proc/sys/kernel/panic
try put /proc/sysrq-trigger
try put /sys/module/apparmor/parameters/audit
try cat /proc/kcore
try put /proc/sys/kernel/shmmni
try put /proc/self/oom_score_adj
(sleep 50 & kill $! && echo "done: kill")
SH
    open='{"Image":"busybox","Cmd":["sh","/attack"],"HostConfig":{"CapAdd":["ALL"],"MaskedPaths":[],"ReadonlyPaths":[],"Binds":["/tmp/attack:/attack","/sys:/sys"],"NetworkMode":"none","SecurityOpt":["seccomp=unconfined"EXTRA]}}'
    for extra in "" ',"apparmor=unconfined"'; do
        id=$(api POST /containers/create "$(echo "$open" | sed "s/EXTRA/$extra/")" | cut -d'"' -f4)
        want "inspect before its start" "$(api GET "/containers/$id/json" | grep -o '"AppArmorProfile":"[^"]*"')" '"AppArmorProfile":""'
        api POST "/containers/$id/start"
        api POST "/containers/$id/wait" >/dev/null
        out=$(ballast logs "$id" 2>&1)
        echo "with [$extra]: $out"
        for work in "put /proc/sys/kernel/shmmni" "put /proc/self/oom_score_adj" kill; do has "work that is allowed [$extra]" "$out" "done: $work"; done
        denied=$(echo "$out" | grep -cE '(denied|not permitted)')
        [ -n "$extra" ] || want "denied ($out)" "$denied" 7
        [ -z "$extra" ] || [ "$denied" -lt 3 ] || no "denied though unconfined: $out"
    done
    want "inspect of unconfined" "$(api GET "/containers/$id/json" | grep -o '"AppArmorProfile":"[^"]*"')" '"AppArmorProfile":"unconfined"'
    start aa busybox sleep 300
    want "as the host sees it" "$(cat "/proc/$(head -n 1 "$dir/cgroup.procs")/attr/current")" "ballast-default (enforce)"
    want exec "$(ballast exec aa $label)" "ballast-default (enforce)"
    want inspect "$(api GET /containers/aa/json | grep -o '"AppArmorProfile":"[^"]*"')" '"AppArmorProfile":"ballast-default"'
    echo -n ballast-default >/sys/kernel/security/apparmor/.remove 2>/dev/null || no "cannot take the profile out"
    want "it is loaded again" "$(run --rm busybox $label)" "ballast-default (enforce)"
    ballast stop -t 5 aa >/dev/null || no "stop: $?"
}
t_seccomp() {
    has filter "$(run --rm busybox grep Seccomp: /proc/self/status)" 2
    has "a new user namespace" "$(run --rm busybox unshare -U true 2>&1)" "Operation not permitted"
    want unconfined "$(run --rm --security-opt seccomp=unconfined busybox sh -c 'unshare -U true && echo yes')" yes
    want "no new privileges" "$(run --rm --security-opt no-new-privileges busybox awk '/NoNewPrivs/ {print $2}' /proc/self/status)" 1
}
t_masked() {
    want "/proc/kcore" "$(run --rm busybox sh -c 'head -c 1 /proc/kcore | wc -c')" 0
    has "/proc/sys" "$(run --rm busybox sh -c 'echo 1 >/proc/sys/kernel/panic' 2>&1)" "Read-only file system"
    has "/sys" "$(run --rm busybox mkdir /sys/x 2>&1)" ""
    want "/sys/firmware" "$(run --rm busybox sh -c 'ls /sys/firmware | wc -l')" 0
}
oci_bundle() { # oci_bundle NAME ROOTFS-LINES: a bundle with a user namespace that maps to 100000
    bundle=/var/oci/$1
    mkdir -p "$bundle/lower/etc" "$bundle/lower/bin" "$bundle/lower/proc" "$bundle/lower/dev" "$bundle/lower/sys" "$bundle/upper" "$bundle/work"
    cp /bin/busybox "$bundle/lower/bin/busybox"
    ln -sf busybox "$bundle/lower/bin/sh"
    echo kept >"$bundle/lower/etc/file"
    mkdir -p "$bundle/low2"
    echo two >"$bundle/low2/two"
    cat >"$bundle/config.json" <<JSON
{"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["/bin/busybox","sh","-c","$3"],"cwd":"/","env":["PATH=/bin"]},
 "root":{"path":"lower"},"hostname":"u",
 "mounts":[{"destination":"/proc","type":"proc","source":"proc"}],
 "linux":{"cgroupsPath":"/oci/$1","namespaces":[{"type":"mount"},{"type":"pid"},{"type":"uts"},{"type":"ipc"},{"type":"network"},{"type":"user"},{"type":"cgroup"}],
  "uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],"gidMappings":[{"containerID":0,"hostID":100000,"size":65536}]},
 "io.ballast":{"uidBase":100000$2}}
JSON
}
USERNS_SCRIPT='busybox cat /proc/self/uid_map; busybox stat -c %u /etc/file; echo new >/etc/new && busybox stat -c %u /etc/new; busybox rm /etc/file && echo removed'
t_userns_overlay() { # the daemon has no userns-remap yet; the runtime below it has
    oci_bundle over ',"rootfs":{"overlay":true,"lower":["/var/oci/over/low2","/var/oci/over/lower"],"upper":"/var/oci/over/upper","work":"/var/oci/over/work"}' "$USERNS_SCRIPT; busybox cat /two"
    out=$(ballast-oci run --bundle $bundle over 2>&1) || no "exit $?: $out"
    has map "$out" 100000
    has "root's file, a new one, removal, second layer" "$(echo $out)" "65536 0 0 removed two"
    want "owner on disk" "$(stat -c %u $bundle/upper/etc/new)" 100000
    want "the layer is as it was" "$(cat $bundle/lower/etc/file) $(stat -c %u $bundle/lower/etc/file)" "kept 0"
    [ ! -e $CG/oci/over ] || no "its cgroup stays"
}
t_userns_directory() {
    oci_bundle plain '' "$USERNS_SCRIPT"
    out=$(ballast-oci run --bundle $bundle plain 2>&1) || no "exit $?: $out"
    has "root's file, a new one, removal" "$(echo $out)" "65536 0 0 removed"
    want "owner on disk" "$(stat -c %u $bundle/lower/etc/new)" 0
}
t_ipc_and_limits() {
    want ulimit "$(run --rm --ulimit nofile=1234:2345 busybox sh -c 'ulimit -n; ulimit -Hn')" "1234
2345"
    want sysctl "$(run --rm --sysctl net.ipv4.ip_unprivileged_port_start=80 busybox cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" 80
    want "size of /dev/shm" "$(run --rm --shm-size 3m busybox sh -c 'df -k /dev/shm | tail -n 1 | awk "{print \$2}"')" 3072
    want user "$(run --rm -u web busybox id -u)" 1000
    want init "$(run --rm --init busybox sh -c 'sleep 0 & cat /proc/1/comm' | wc -l)" 1
}

t_many_at_once() {
    for i in 1 2 3 4 5 6; do run -d --name "m$i" -m 32m busybox sleep 300 >/dev/null 2>/tmp/many$i & done
    wait
    want running "$(ls -d $CG/ballast/*/ | wc -l)" 6
    ballast rm -f m1 m2 m3 m4 m5 m6 >/dev/null || no "rm: $?"
    [ -z "$(ls -d $CG/ballast/*/ 2>/dev/null)" ] || no "left: $(ls -d $CG/ballast/*/)"
}
t_agent_stops() { # last: nothing of it stays
    kill -TERM "$(agent_pid)"
    soon "it ends" sh -c "! kill -0 $(agent_pid) 2>/dev/null"
    $AGENT --erase >/tmp/o 2>&1 || no "erase: $(cat /tmp/o)"
    [ ! -e $CG/ballast ] || no "the cgroup stays: $(find $CG/ballast -type d)"
    nft list tables | grep ballast && no "the table stays"
    ip -o link | grep ballast && no "a bridge stays"
    true
}

# ------------------------------------------------------------------ the machine

prepare() {
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mkdir -p /dev/pts /dev/shm
    mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
    mount -t tmpfs -o mode=1777 shm /dev/shm
    mount -t tmpfs -o mode=755 run /run
    mount -t securityfs securityfs /sys/kernel/security
    mount -t cgroup2 cgroup2 $CG
    mount --make-rshared /
    ip link set lo up
    # the host's address, and a neighbour on its network
    mkdir -p /run/ballast /run/netns /vm/www
    echo "from the lan" >/vm/www/hello
    ip netns add lan
    ip link add lan0 type veth peer name eth0 netns lan
    ip addr add 198.51.100.7/24 dev lan0
    ip link set lan0 up
    ip -n lan addr add 198.51.100.9/24 dev eth0
    ip -n lan link set eth0 up
    ip -n lan link set lo up
}
clean() {
    ids=$(api GET '/containers/json?all=1' | grep -o '"Id":"[0-9a-f]*"' | cut -d'"' -f4)
    [ -z "$ids" ] || ballast rm -f $ids >/dev/null 2>&1
    [ "$(api GET /ballast/apps)" = "[]" ] || ballast remove shop >/dev/null 2>&1
    for n in inner n1 n2; do api DELETE /networks/$n >/dev/null; done
}
check() {
    out=$("t_$1" 2>&1)
    code=$?
    took="$(cut -d. -f1 /proc/uptime) s"
    case $code in
        0) echo "ok $1 ($took)" ;;
        77) echo "skipped $1: $out" ;;
        *) echo "FAILED $1: $(echo "$out" | tail -c 1500 | sed '2,$s/^/    /')"
            tail -n 4 /var/log-agent | sed 's/^/    agent: /' ;;
    esac
    [ "$1" = agent_stops ] || clean
}
main() {
    prepare
    echo "VM: kernel $(uname -r), $(cut -d' ' -f1 /proc/uptime) s"
    start_agent
    for archive in busybox layers; do
        ballast load -i /vm/$archive.tar >/tmp/o 2>&1 || echo "FAILED load-$archive: $(cat /tmp/o)"
    done
    echo "VM: ready at $(cut -d' ' -f1 /proc/uptime) s"
    names=$(cat /vm/only)
    for name in ${names:-$(sed -n 's/^t_\([a-z0-9_]*\)().*/\1/p' /vm/guest.sh)}; do check "$name"; done
    echo "VM: DONE"
}
if [ $$ = 1 ]; then
    exec </dev/null >/dev/console 2>&1
    sh /vm/guest.sh &
    wait $!
    sync
    poweroff -f
else
    main
fi
