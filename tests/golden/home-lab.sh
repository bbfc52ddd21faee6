ip netns add wan
ip -n wan link set dev lo alias nftnsr up
ip netns exec wan sysctl -qw net/ipv4/ip_forward=1 net/ipv4/conf/all/promote_secondaries=1 net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/all/rp_filter=1 net/ipv4/conf/default/rp_filter=1 net/ipv6/conf/all/forwarding=1
ip netns exec wan nft -f - <<'EOF'
table inet nftnsr {
	map forward_ipv4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			tcp . 80 : 10.10.0.20 . 8080,
			tcp . 443 : 10.10.0.20 . 8443,
			tcp . 2222 : 192.168.158.2 . 22,
			udp . 51820 : 192.168.158.2 . 51820
		}
	}

	map forward_ipv4_ranges {
		type inet_proto . inet_service : ipv4_addr
		flags interval
		counter
		elements = {
			udp . 27015-27030 : 10.10.0.30
		}
	}

	map forward_ipv4_outside {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			tcp . 25 : 10.10.0.25 . 25
		}
	}

	map forward_ipv4_sources {
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
		flags interval
		counter
		elements = {
			10.10.0.0/24 . tcp . 8006 : 10.10.0.2 . 8006,
			192.168.158.2 . tcp . 8006 : 10.10.0.2 . 8006,
			203.0.113.0/24 . tcp . 8006 : 10.10.0.2 . 8006
		}
	}

	map forward_ipv6 {
		type inet_proto . inet_service : ipv6_addr . inet_service
		counter
		elements = {
			tcp . 443 : fd00:10::20 . 8443,
			tcp . 2222 : 2001:db8:50:1::2 . 22,
			udp . 51820 : 2001:db8:50:1::2 . 51820
		}
	}

	set inbound_ipv6 {
		type inet_proto . inet_service
		flags interval
		elements = {
			udp . 51820
		}
	}

	set traffic {
		type nf_proto . inet_proto . inet_service
		counter
		elements = {
			ipv4 . tcp . 25,
			ipv4 . tcp . 80,
			ipv4 . tcp . 443,
			ipv4 . tcp . 2222,
			ipv4 . tcp . 8006,
			ipv4 . udp . 51820,
			ipv6 . tcp . 443,
			ipv6 . tcp . 2222,
			ipv6 . udp . 51820
		}
	}

	set traffic_ranges {
		type nf_proto . inet_proto . inet_service
		flags interval
		counter
		elements = {
			ipv4 . udp . 27015-27030
		}
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 192.0.2.40 dnat ip to meta l4proto . th dport map @forward_ipv4
		ip daddr 192.0.2.40 dnat ip to meta l4proto . th dport map @forward_ipv4_ranges
		iifname "enp1s0" ip daddr 192.0.2.40 dnat ip to meta l4proto . th dport map @forward_ipv4_outside
		ip daddr 192.0.2.40 meta l4proto { tcp, udp } dnat ip to ip saddr . meta l4proto . th dport map @forward_ipv4_sources
		ip6 daddr 2001:db8:50:1::3 dnat ip6 to meta l4proto . th dport map @forward_ipv6
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "enp1s0" meta nfproto ipv4 masquerade
		iifname "wan0" oifname "wan0" ct status dnat masquerade
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "wan0" oifname "enp1s0" ip saddr { 192.168.158.2, 10.10.0.0/24 } accept
		iifname "wan0" oifname "enp1s0" ip6 saddr 2001:db8:50:1::2 accept
		oifname "wan0" ct status dnat accept
		iifname "enp1s0" oifname "wan0" ip6 daddr 2001:db8:50:1::2 icmpv6 type echo-request accept
		iifname "enp1s0" oifname "wan0" ip6 daddr 2001:db8:50:1::2 meta l4proto . th dport @inbound_ipv6 accept
	}

	chain accounting {
		type filter hook forward priority filter + 1; policy accept;
		ct status dnat meta l4proto { tcp, udp } meta nfproto . meta l4proto . ct original proto-dst @traffic
		ct status dnat meta l4proto udp meta nfproto . meta l4proto . ct original proto-dst @traffic_ranges
	}
}
EOF
ip link add name wan0 address 02:8a:b9:fe:b6:c2 mtu 1500 type veth peer name wan0 address 02:b6:ce:88:3c:1c mtu 1500 netns wan
sysctl -qw net/ipv6/conf/wan0/addr_gen_mode=1 net/ipv6/conf/wan0/disable_ipv6=0
ip netns exec wan sysctl -qw net/ipv4/conf/wan0/forwarding=1 net/ipv4/conf/wan0/send_redirects=0 net/ipv4/conf/wan0/rp_filter=1 net/ipv6/conf/wan0/disable_ipv6=0 net/ipv6/conf/wan0/forwarding=1 net/ipv6/conf/wan0/addr_gen_mode=1
ip address add 192.168.158.2/24 dev wan0
ip -n wan address add 192.168.158.1/24 dev wan0
ip -n wan address add fe80::1/64 dev wan0 nodad
ip address add fe80::2/64 dev wan0 nodad
ip address add 2001:db8:50:1::2/128 dev wan0 nodad
ip link set dev wan0 up
ip -n wan link set dev wan0 up
ip -n wan route replace 10.10.0.0/24 via 192.168.158.2 dev wan0 proto 110
ip -6 -n wan route add 2001:db8:50:1::2/128 via fe80::2 dev wan0 metric 1024 proto 110
ip -6 -n wan route add fd00:10::/64 via fe80::2 dev wan0 metric 1024 proto 110
ip link set dev enp1s0 netns wan
ip netns exec wan sysctl -qw net/ipv4/conf/enp1s0/forwarding=1 net/ipv4/conf/enp1s0/send_redirects=0 net/ipv4/conf/enp1s0/rp_filter=1 net/ipv6/conf/enp1s0/disable_ipv6=0 net/ipv6/conf/enp1s0/forwarding=1 net/ipv6/conf/enp1s0/accept_ra=0 net/ipv6/conf/enp1s0/accept_dad=0 net/ipv6/conf/enp1s0/proxy_ndp=1 net/ipv6/neigh/enp1s0/proxy_delay=0
ip -n wan address add 192.0.2.40/24 dev enp1s0
ip -n wan address add 2001:db8:50:1::3/64 dev enp1s0 nodad
ip -n wan link set dev enp1s0 up
ip -n wan neigh replace proxy 2001:db8:50:1::2 dev enp1s0
ip -n wan route replace default via 192.0.2.1 dev enp1s0 proto 110
ip -6 -n wan route add default via fe80::1 dev enp1s0 metric 1024 proto 110
ip route replace default via 192.168.158.1 dev wan0 proto 110
ip -6 route add default via fe80::1 dev wan0 metric 1024 proto 110
