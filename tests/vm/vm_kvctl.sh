#!/bin/sh
# SPDX-License-Identifier: MIT
# kvctl on the kernel's device: output, messages and permissions. Prints TAP; must run as root in a guest.

count=0
scratch=$(mktemp -d)

# check SAYS CONDITION...: a test. Where it fails, what kvctl said last is shown.
check() {
	says=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $says"
	else
		sed 's/^/# /' "$scratch/out" "$scratch/err"
		echo "not ok $count - $says"
	fi
}

# kvctl_is STATUS ARGUMENT...: runs it, keeps what it says.
kvctl_is() {
	expected=$1
	shift
	kvctl "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	[ $? = "$expected" ]
}

# unprivileged_is STATUS COMMAND...: as a user without rights.
unprivileged_is() {
	expected=$1
	shift
	su -s /bin/sh nobody -c "$*" >"$scratch/out" 2>"$scratch/err" </dev/null
	[ $? = "$expected" ]
}

# script_is STATUS LINE...
script_is() {
	expected=$1
	shift
	printf '%s\n' "$@" | kvctl script >"$scratch/out" 2>"$scratch/err"
	[ $? = "$expected" ]
}

said() { grep -Eq "$1" "$scratch/out"; }
complained() { grep -Eq "$1" "$scratch/err"; }
telemetry() { kvctl telemetry | awk -v name="$1" '$1 == name { print $2 }'; }
counter() { kvctl counters | awk -v name="$1" '$1 == name { print $2 }'; }
free_blocks() { kvctl info | awk '$1 == "blocks_free" { print $2 }'; }

# free_blocks_are N: within a second, as scrubbing takes its time.
free_blocks_are() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(free_blocks)" = "$1" ] && return 0
		sleep 0.1
	done
	return 1
}

check "info" kvctl_is 0 info
check "info tells the sizes" said '^blocks +[0-9]+$'
check "info as JSON" kvctl_is 0 --json info
check "JSON is an object" said '^  "block_size": [0-9]+,$'
check "a device that is not there" kvctl_is 1 -d /dev/kvcpu9 info
check "it is named" complained '^kvctl: /dev/kvcpu9: No such file or directory$'
check "a wrong command" kvctl_is 2 informations

# Hints to context 0: their counters move, and they outlive kvctl.
check "weights" kvctl_is 0 weights 3 4 5 6 0 0xffff
check "weights are in force" [ "$(telemetry w_d)" = 6 ]
check "a policy that does not exist" kvctl_is 2 policy best
check "those that do are named" complained 'lru,hepc'
check "policy" kvctl_is 0 policy hepc
check "policy is in force" [ "$(kvctl policy)" = hepc ]
check "step" kvctl_is 0 step 100
check "step is told" [ "$(telemetry current_step)" = 100 ]
size=$(kvctl info | awk '$1 == "block_size" { print $2 }')
check "hot" kvctl_is 0 hot "$size" $((2 * size))
sleep 0.1
check "the blocks are fast, and stay so" [ "$(kvctl directory 0 8 | grep -c ' FAST  *HOT ')" = 2 ]
check "evict" kvctl_is 0 evict "$size" "$size"
check "the block has left" [ "$(kvctl directory 0 8 | grep -c ' FAST  *HOT ')" = 1 ]
check "prefetch" kvctl_is 0 prefetch 0 "$size" 120
check "share" kvctl_is 0 share 0x7f0000000000 1
check "hints are counted" [ "$(telemetry hot_count) $(telemetry evict_count) $(telemetry prefetch_count) $(telemetry share_count)" = "1 1 1 1" ]
check "one was outside" [ "$(counter HINTS_IGNORED)" = 1 ]
check "a range of nothing" kvctl_is 1 hot 0 0
check "the call is named" complained '/dev/kvcpu0: hot: Invalid argument'

# A context of its own.
before=$(free_blocks)
check "a script" script_is 0 'alloc 4' 'fill 0 4 --byte 7' 'pin 0 2' 'seal 3' 'release 2' 'directory'
check "blocks are pinned" [ "$(grep -c ' FAST  *PINNED ' "$scratch/out")" = 2 ]
check "a block is sealed" said 'allocated,written,sealed'
check "a block is released" said ' RELEASED '
check "hints were accepted" [ "$(grep -c '^outcome *accepted$' "$scratch/out")" = 2 ]
check "its blocks are given back" free_blocks_are "$before"
check "a refusal ends a script" script_is 1 'alloc 1' 'unpin 0' 'info'
check "line and status are named" complained 'line 2: unpin 0: .*NOT_PINNED'
check "seal of others' blocks is ignored" kvctl_is 0 seal 0
check "it says so" said '^reason +FOREIGN'
check "self-test" kvctl_is 0 self-test

# Why a block is where it is, and what moves.
check "why, in a script" script_is 0 'alloc 4' 'fill 0 4 --byte 7' 'pin 0 2' 'unpin 0 2' 'hint evictable 1 1 --now' 'why 1' 'why 0' 'why 3'
check "a block that was sent away" said '^why: evicted from the fast tier by hepc: EVICTABLE asked'
check "one that was fetched" said '^why: fetched into the fast tier because a PIN waited'
check "a block without a fetch" said '^why: in the slow tier since it was allocated'
check "its history" said ' CHOSEN +by hepc as EVICTABLE, '
check "is the administrator's" unprivileged_is 1 kvctl why 0
check "top, once" kvctl_is 0 top --once
check "traffic since the reset" said '^traffic +in_demand [1-9]'
check "hints since the reset" said '^hints +accepted [1-9]'
check "top, two intervals" kvctl_is 0 --json top -n 2 -i 0.1
check "a line each" [ "$(grep -c '^{.*"interval_ns":1[0-9]*' "$scratch/out")" = 2 ]
check "without escapes" [ "$(tr -d '\033' <"$scratch/out" | wc -c)" = "$(wc -c <"$scratch/out")" ]

# Others' blocks are the administrator's to look at; the node is root's.
mkfifo "$scratch/fifo"
kvctl script <"$scratch/fifo" >/dev/null 2>&1 &
exec 3>"$scratch/fifo"
printf 'alloc 3\n' >&3
sleep 0.3
check "another's blocks are shown" [ "$(kvctl directory | grep -c 'allocated')" = 3 ]
exec 3>&-
wait
check "another user" unprivileged_is 1 kvctl info
check "may not" complained 'Permission denied'
check "and back to lru" kvctl_is 0 policy lru

rm -r "$scratch"
echo "1..$count"
