#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: random_faults.sh PROGRAM...
# Runs each program of the driver's again and again while allocations fail at random in it, first often and then
# seldom, so that it gets ever further. How it ends is its own affair; that it ends, and that it passes when nothing
# fails any more, is tested. TAP.
set -u
inject=/sys/kernel/debug/failslab
count=0
failed=0

ok() {
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=1
	fi
}

# Resets the device, because the programs need a device without earlier state.
fresh() {
	name=$(basename "$(readlink -f /sys/class/kv_cpu/kvcpu0/device)")
	echo "$name" >/sys/bus/pci/drivers/kvcpu/unbind && echo "$name" >/sys/bus/pci/drivers/kvcpu/bind
}

# Of these processes alone, also of allocations that may wait, and without a report: that looks like trouble.
echo Y >$inject/task-filter && echo N >$inject/ignore-gfp-wait && echo 0 >$inject/verbose &&
	echo -1 >$inject/times && echo 50 >$inject/probability || exit 1
for interval in 10 40 160 640; do
	echo $interval >$inject/interval
	for program in "$@"; do
		fresh || exit 1
		# Inherited over exec, which may be what fails: then there is nothing to run.
		timeout -s KILL 60 sh -c "echo 1 >/proc/self/make-it-fail && exec $program >/dev/null 2>&1"
		status=$?
		echo "# a fault in $((interval * 2)): $program ended with status $status"
		ok $((status == 137)) "$program ends, a fault in $((interval * 2))"
	done
done
echo 0 >$inject/probability
for program in "$@"; do
	fresh || exit 1
	result=$($program)
	status=$?
	[ $status = 0 ] || echo "$result" | sed 's/^/# /'
	ok $status "$program passes afterwards"
done
echo "1..$count"
exit $failed
