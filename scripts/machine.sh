# A machine with another kernel, for scripts that record in it; to be read with `source`.
#
# Debian's cloud kernels under QEMU with nothing but busybox and what a script puts into the root folder: an `init`
# that ends with `poweroff -f`, and writes what is to be brought back to /dev/ttyS1 as a tar archive. Needs Debian's
# qemu-system-x86 cpio busybox-static kmod xz-utils. XDG_CACHE_HOME has the kernels, unpacked, in ebrec-vm/KERNEL (~/.cache).
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ebrec-vm
declare -A suites=([5.10]=bullseye [6.1]=bookworm [6.12]=bookworm-backports [7.2]=sid)

fail() { echo "$(basename "$0"): $*" >&2; exit 1; }

machine_programs() {
	local program
	for program in qemu-system-x86_64 cpio busybox modprobe xz; do
		command -v $program >/dev/null || fail "$program is missing: apt-get install qemu-system-x86 cpio busybox-static kmod xz-utils"
	done
}

# Downloads the newest cloud kernel of a series with package lists of its own, so that those of this
# machine stay as they are, and unpacks it.
machine_fetch() { # KERNEL WORK
	local kernel=$1 suite=${suites[$1]:-} lists=$2/apt-$1 mirror name part
	[ -e "$cache/$kernel/ready" ] && return
	[ -n "$suite" ] || fail "which suite of Debian has a kernel $kernel? (known: ${!suites[*]})"
	mkdir -p "$lists"/{lists/partial,archives/partial,parts,packages,root}
	mirror=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null ||
		awk '$1 == "deb" { print ($2 ~ /^\[/ ? $3 : $2); exit }' /etc/apt/sources.list)
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" > "$lists/sources.list"
	local options=(-q -o "Dir::Etc::sourcelist=$lists/sources.list" -o "Dir::Etc::sourceparts=$lists/parts"
		-o "Dir::State::lists=$lists/lists" -o "Dir::Cache=$lists" -o APT::Sandbox::User=root
		-o Acquire::Check-Valid-Until=false)
	apt-get "${options[@]}" update >/dev/null
	apt-cache "${options[@]}" pkgnames linux- | sort -V > "$lists/names"
	name=$(grep -E "^linux-image-${kernel//./\\.}[.0-9]*[-+].*cloud-amd64$" "$lists/names" | tail -1)
	[ -n "$name" ] || fail "$suite has no cloud kernel $kernel"
	# Newer kernels are split over several packages.
	for part in image binary modules base; do
		if grep -qx "linux-$part-${name#linux-image-}" "$lists/names"; then
			(cd "$lists/packages" && apt-get "${options[@]}" download "linux-$part-${name#linux-image-}" >/dev/null)
		fi
	done
	for part in "$lists"/packages/*.deb; do dpkg -x "$part" "$lists/root"; done
	mkdir -p "$cache"
	rm -rf "${cache:?}/$kernel"
	mv "$lists/root" "$cache/$kernel"
	touch "$cache/$kernel/ready"
}

# Puts a program and the libraries it needs into the root folder of a machine, where they are here.
machine_install() { # PROGRAM ROOT
	local file
	for file in "$1" $(ldd "$1" | grep -o '/[^ ]*'); do
		mkdir -p "$2$(dirname "$file")"
		cp -L "$file" "$2$file"
	done
}

# Compiles a program of tests/programs into the bin folder of a machine, with the libraries it needs.
machine_compile() { # SOURCE NAME ROOT
	local library
	c++ -x "$([[ $1 = *.c ]] && echo c || echo c++)" -O2 -g -fomit-frame-pointer -pthread \
		-o "$3/bin/$2" "tests/programs/$1"
	ldd "$3/bin/$2" | grep -o '/[^ ]*' | while read -r library; do
		mkdir -p "$3$(dirname "$library")"
		cp "$library" "$3$library"
	done
}

# Puts a module of the kernel into the root folder of a machine, as NAME.ko.
machine_module() { # KERNEL NAME ROOT
	local module
	module=$(find "$cache/$1" -name "$2.ko*" | head -1)
	case $module in
	*.xz) xz -dc "$module" ;;
	*) cat "$module" ;;
	esac > "$3/$2.ko"
}

# What every init begins with.
machine_init_head() {
	cat <<- 'END'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin:/usr/bin HOME=/
		mount -t proc none /proc
		mount -t sysfs none /sys
		mount -t devtmpfs none /dev
		mkdir /dev/shm
		mount -t tmpfs none /dev/shm
		mount -t tmpfs none /tmp
		mount -t cgroup2 none /sys/fs/cgroup
		ip link set lo up
		insmod /loop.ko
		head -c 4194304 /dev/zero > /tmp/disk
		losetup /dev/loop0 /tmp/disk
	END
}

# Boots FOLDER/root until it powers off; leaves what it printed in FOLDER/console and what it brought back in FOLDER.
#
# One CPU: with two, QEMU loses the race when the kernel patches its own code, and the locks of newer
# kernels give up when the CPU that holds them is not emulated for a while.
machine_boot() { # KERNEL FOLDER SECONDS MIB
	local image
	chmod +x "$2/root/init"
	(cd "$2/root" && find . | cpio -o -H newc --quiet --owner=0:0) > "$2/initrd"
	image=$(find "$cache/$1" -type f \( -path '*/boot/vmlinuz-*' -o -path '*/modules/*/vmlinuz' \) | head -1)
	timeout "$3" qemu-system-x86_64 -accel tcg -cpu qemu64 -smp 1 -m "$4" \
		-nodefaults -display none -no-reboot -serial stdio -serial "file:$2/out.tar" \
		-kernel "$image" -initrd "$2/initrd" \
		-append "console=ttyS0 panic=-1 quiet loglevel=3 mitigations=off" \
		< /dev/null 2>&1 | tr -d '\r' > "$2/console" || fail "kernel $1 did not end in $3 s: $(tail -5 "$2/console")"
	tar xf "$2/out.tar" -C "$2" || fail "kernel $1 brought nothing back: $(cat "$2/console")"
}
