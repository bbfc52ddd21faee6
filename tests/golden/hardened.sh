ip netns add ens3
ip -n ens3 link set dev lo alias nftnsr up
ip netns exec ens3 sysctl -qw net/ipv4/ip_forward=1 net/ipv4/conf/all/promote_secondaries=1 net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/all/rp_filter=1 net/ipv4/conf/default/rp_filter=1 net/ipv6/conf/all/forwarding=1
ip netns exec ens3 nft -f - <<'EOF'
table inet nftnsr {
	map forward_ipv4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			tcp . 22 : 192.168.158.2 . 22,
			tcp . 443 : 192.168.158.2 . 443
		}
	}

	map forward_ipv6 {
		type inet_proto . inet_service : ipv6_addr . inet_service
		counter
		elements = {
			tcp . 22 : 2a00:1450:4001::2 . 22,
			tcp . 443 : 2a00:1450:4001::2 . 443
		}
	}

	set bogons_ipv4 {
		type ipv4_addr
		flags interval
		elements = {
			0.0.0.0/8,
			10.0.0.0/8,
			100.64.0.0/10,
			127.0.0.0/8,
			169.254.0.0/16,
			172.16.0.0/12,
			192.0.0.0/24,
			192.0.2.0/24,
			192.168.0.0/16,
			198.18.0.0/15,
			198.51.100.0/24,
			203.0.113.0/24,
			224.0.0.0/3
		}
	}

	set block_drop_ipv4 {
		type ipv4_addr
		flags interval
		elements = {
			45.134.26.0/24
		}
	}

	set bogons_ipv6 {
		type ipv6_addr
		flags interval
		elements = {
			3fff::/20,
			5f00::/16,
			100::/64,
			2001:2::/48,
			2001:10::/28,
			2001:db8::/32,
			::1,
			::ffff:0:0/96,
			fc00::/7
		}
	}

	set block_drop_ipv6 {
		type ipv6_addr
		flags interval
		elements = {
			2a0e:b107:27f0::/44
		}
	}

	set input_ipv4_sources {
		type ipv4_addr . inet_proto . inet_service
		flags interval
		elements = {
			145.97.20.0/24 . tcp . 9100
		}
	}

	chain dropped {
		limit rate 10/minute log prefix "nftnsr ens3: "
		drop
	}

	chain guard {
		type filter hook prerouting priority raw; policy accept;
		iifname "ens3" ip saddr @bogons_ipv4 goto dropped
		iifname "ens3" ip saddr @block_drop_ipv4 goto dropped
		iifname "vens3" ip daddr @block_drop_ipv4 goto dropped
		iifname "ens3" ip6 saddr @bogons_ipv6 goto dropped
		iifname "ens3" ip6 saddr @block_drop_ipv6 goto dropped
		iifname "vens3" ip6 daddr @block_drop_ipv6 goto dropped
		iifname "ens3" ip6 saddr != :: fib saddr . iif oif missing goto dropped
	}

	chain input {
		type filter hook input priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : goto dropped }
		iifname != "ens3" accept
		icmp type echo-request accept
		icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept
		icmpv6 type echo-request accept
		ip saddr . meta l4proto . th dport @input_ipv4_sources accept
		goto dropped
	}

	chain egress_10.43.0.0_24 {
		meta l4proto { tcp, udp } th dport 53 accept
		ip daddr 8.8.4.0/24 meta l4proto tcp th dport 443 accept
		goto dropped
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 145.97.20.2 dnat ip to meta l4proto . th dport map @forward_ipv4
		ip6 daddr 2a00:1450:4001::3 dnat ip6 to meta l4proto . th dport map @forward_ipv6
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "ens3" meta nfproto ipv4 masquerade
		iifname "vens3" oifname "vens3" ct status dnat masquerade
	}

	chain mss {
		type filter hook forward priority mangle; policy accept;
		oifname "ens3" tcp flags syn tcp option maxseg size set rt mtu
		iifname "ens3" meta nfproto ipv4 tcp flags syn tcp option maxseg size set 1380
		iifname "ens3" meta nfproto ipv6 tcp flags syn tcp option maxseg size set 1360
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : goto dropped }
		iifname "vens3" oifname "ens3" ip saddr vmap { 10.43.0.0/24 : goto egress_10.43.0.0_24 }
		iifname "vens3" oifname "ens3" ip saddr { 192.168.158.2, 10.42.0.0/24, 10.43.0.0/24 } accept
		iifname "vens3" oifname "ens3" ip6 saddr { 2a00:1450:4001::2, 2a00:1450:4001:42::/64 } accept
		oifname "vens3" ct status dnat accept
		iifname "ens3" oifname "vens3" ip6 daddr 2a00:1450:4001:42::/64 accept
		iifname "ens3" oifname "vens3" ip6 daddr 2a00:1450:4001::2 accept
		goto dropped
	}
}
EOF
ip link add name vens3 address 02:89:78:66:d2:a3 mtu 1500 type veth peer name vens3 address 02:f7:08:18:68:fe mtu 1500 netns ens3
sysctl -qw net/ipv6/conf/vens3/addr_gen_mode=1 net/ipv6/conf/vens3/disable_ipv6=0
ip netns exec ens3 sysctl -qw net/ipv4/conf/vens3/forwarding=1 net/ipv4/conf/vens3/send_redirects=0 net/ipv4/conf/vens3/rp_filter=1 net/ipv6/conf/vens3/disable_ipv6=0 net/ipv6/conf/vens3/forwarding=1 net/ipv6/conf/vens3/addr_gen_mode=1
ip address add 192.168.158.2/24 dev vens3
ip -n ens3 address add 192.168.158.1/24 dev vens3
ip -n ens3 address add fe80::1/64 dev vens3 nodad
ip address add fe80::2/64 dev vens3 nodad
ip address add 2a00:1450:4001::2/128 dev vens3 nodad
ip link set dev vens3 up
ip -n ens3 link set dev vens3 up
ip -n ens3 route replace 10.42.0.0/24 via 192.168.158.2 dev vens3 proto 110
ip -n ens3 route replace 10.43.0.0/24 via 192.168.158.2 dev vens3 proto 110
ip -6 -n ens3 route add 2a00:1450:4001::2/128 via fe80::2 dev vens3 metric 1024 proto 110
ip -6 -n ens3 route add 2a00:1450:4001:42::/64 via fe80::2 dev vens3 metric 1024 proto 110
ip link set dev ens3 netns ens3
ip -n ens3 link set dev ens3 mtu 1420
ip netns exec ens3 sysctl -qw net/ipv4/conf/ens3/forwarding=1 net/ipv4/conf/ens3/send_redirects=0 net/ipv4/conf/ens3/rp_filter=1 net/ipv6/conf/ens3/disable_ipv6=0 net/ipv6/conf/ens3/forwarding=1 net/ipv6/conf/ens3/accept_ra=0 net/ipv6/conf/ens3/accept_dad=0 net/ipv6/conf/ens3/proxy_ndp=1 net/ipv6/neigh/ens3/proxy_delay=0
ip -n ens3 address add 145.97.20.2/24 dev ens3
ip -n ens3 address add 2a00:1450:4001::3/64 dev ens3 nodad
ip -n ens3 link set dev ens3 up
ip -n ens3 neigh replace proxy 2a00:1450:4001::2 dev ens3
ip -n ens3 route replace default via 145.97.20.1 dev ens3 proto 110
ip -6 -n ens3 route add default via 2a00:1450:4001::1 dev ens3 metric 1024 proto 110
ip route replace default via 192.168.158.1 dev vens3 proto 110
ip -6 route add default via fe80::1 dev vens3 metric 1024 proto 110
