ip netns add wan
ip -n wan link set dev lo alias nftnsr up
ip netns exec wan sysctl -qw net/ipv4/ip_forward=1 net/ipv4/conf/all/promote_secondaries=1 net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/all/rp_filter=1 net/ipv4/conf/default/rp_filter=1 net/ipv6/conf/all/forwarding=1
ip -n wan rule add from all to 192.168.158.2/32 priority 998 lookup 254 protocol 110
ip -n wan rule add from all to 10.42.0.0/24 priority 998 lookup 254 protocol 110
ip -n wan rule add from all to 10.43.0.0/24 priority 998 lookup 254 protocol 110
ip -n wan rule add from all fwmark 0x3e8 priority 999 lookup 1000 protocol 110
ip -n wan rule add from 1.2.3.4/32 priority 999 lookup 1000 protocol 110
ip -n wan rule add from all fwmark 0x4b0 priority 999 lookup 1200 protocol 110
ip -n wan rule add from 5.6.7.8/32 priority 999 lookup 1200 protocol 110
ip -n wan rule add from 10.43.0.0/24 priority 31000 lookup 254 suppress_prefixlength 0 protocol 110
ip -n wan rule add from 10.43.0.0/24 priority 31001 lookup 1200 protocol 110
ip -6 -n wan rule add from all to 2123:2134:abc:ddd::2/128 priority 998 lookup 254 protocol 110
ip -6 -n wan rule add from all fwmark 0x3e8 priority 999 lookup 1000 protocol 110
ip -6 -n wan rule add from 2123:2134:abc:ddd::3/128 priority 999 lookup 1000 protocol 110
ip netns exec wan nft -f - <<'EOF'
table inet nftnsr {
	map forward_ipv4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			tcp . 22 : 192.168.158.2 . 22,
			tcp . 443 : 10.42.0.10 . 443
		}
	}

	map forward_ipv6 {
		type inet_proto . inet_service : ipv6_addr . inet_service
		counter
		elements = {
			tcp . 22 : 2123:2134:abc:ddd::2 . 22
		}
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr { 1.2.3.4, 5.6.7.8 } dnat ip to meta l4proto . th dport map @forward_ipv4
		ip6 daddr 2123:2134:abc:ddd::3 dnat ip6 to meta l4proto . th dport map @forward_ipv6
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname { "ens3", "ens4" } meta nfproto ipv4 masquerade
		iifname "vwan" oifname "vwan" ct status dnat masquerade
	}

	chain uplinks {
		type filter hook prerouting priority mangle; policy accept;
		ct direction original ct mark set iifname map { "ens3" : 0x3e8, "ens4" : 0x4b0 }
		ct mark != 0x0 meta mark set ct mark
	}

	chain uplinks_out {
		type filter hook postrouting priority mangle; policy accept;
		ct direction original ct mark set oifname map { "ens3" : 0x3e8, "ens4" : 0x4b0 }
	}

	chain mss {
		type filter hook forward priority mangle; policy accept;
		oifname { "ens3", "ens4" } tcp flags syn tcp option maxseg size set rt mtu
		iifname "ens3" meta nfproto ipv4 tcp flags syn tcp option maxseg size set 1460
		iifname "ens4" meta nfproto ipv4 tcp flags syn tcp option maxseg size set 1388
		iifname "ens3" meta nfproto ipv6 tcp flags syn tcp option maxseg size set 1440
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "vwan" oifname { "ens3", "ens4" } ip saddr { 192.168.158.2, 10.42.0.0/24, 10.43.0.0/24 } accept
		iifname "vwan" oifname { "ens3", "ens4" } ip6 saddr 2123:2134:abc:ddd::2 accept
		oifname "vwan" ct status dnat accept
		iifname { "ens3", "ens4" } oifname "vwan" ip6 daddr 2123:2134:abc:ddd::2 accept
	}
}
EOF
ip link add name vwan address 02:8a:b9:fe:b6:c2 mtu 1500 type veth peer name vwan address 02:b6:ce:88:3c:1c mtu 1500 netns wan
sysctl -qw net/ipv6/conf/vwan/addr_gen_mode=1 net/ipv6/conf/vwan/disable_ipv6=0
ip netns exec wan sysctl -qw net/ipv4/conf/vwan/forwarding=1 net/ipv4/conf/vwan/send_redirects=0 net/ipv4/conf/vwan/rp_filter=1 net/ipv6/conf/vwan/disable_ipv6=0 net/ipv6/conf/vwan/forwarding=1 net/ipv6/conf/vwan/addr_gen_mode=1
ip address add 192.168.158.2/24 dev vwan
ip -n wan address add 192.168.158.1/24 dev vwan
ip -n wan address add fe80::1/64 dev vwan nodad
ip address add fe80::2/64 dev vwan nodad
ip address add 2123:2134:abc:ddd::2/128 dev vwan nodad
ip link set dev vwan up
ip -n wan link set dev vwan up
ip -n wan route replace 10.42.0.0/24 via 192.168.158.2 dev vwan proto 110
ip -n wan route replace 10.43.0.0/24 via 192.168.158.2 dev vwan proto 110
ip -6 -n wan route add 2123:2134:abc:ddd::2/128 via fe80::2 dev vwan metric 1024 proto 110
ip link set dev ens3 netns wan
ip link set dev ens4 netns wan
ip -n wan link set dev ens4 mtu 1428
ip netns exec wan sysctl -qw net/ipv4/conf/ens3/forwarding=1 net/ipv4/conf/ens4/forwarding=1 net/ipv4/conf/ens3/send_redirects=0 net/ipv4/conf/ens4/send_redirects=0 net/ipv4/conf/ens3/rp_filter=1 net/ipv4/conf/ens4/rp_filter=1 net/ipv6/conf/ens3/disable_ipv6=0 net/ipv6/conf/ens3/forwarding=1 net/ipv6/conf/ens4/disable_ipv6=1 net/ipv6/conf/ens4/forwarding=0 net/ipv6/conf/ens3/accept_ra=0 net/ipv6/conf/ens3/accept_dad=0 net/ipv6/conf/ens3/proxy_ndp=1 net/ipv6/neigh/ens3/proxy_delay=0 net/ipv6/conf/ens4/accept_ra=0 net/ipv6/conf/ens4/accept_dad=0 net/ipv6/conf/ens4/proxy_ndp=0 net/ipv6/neigh/ens4/proxy_delay=0 net/ipv4/conf/ens3/ignore_routes_with_linkdown=1 net/ipv6/conf/ens3/ignore_routes_with_linkdown=1 net/ipv4/conf/ens3/src_valid_mark=1 net/ipv4/conf/ens4/ignore_routes_with_linkdown=1 net/ipv6/conf/ens4/ignore_routes_with_linkdown=1 net/ipv4/conf/ens4/src_valid_mark=1
ip -n wan address add 1.2.3.4/24 dev ens3
ip -n wan address add 5.6.7.8/24 dev ens4
ip -n wan address add 2123:2134:abc:ddd::3/64 dev ens3 nodad
ip -n wan link set dev ens3 up
ip -n wan link set dev ens4 up
ip -n wan neigh replace proxy 2123:2134:abc:ddd::2 dev ens3
ip -n wan route replace 1.2.3.0/24 dev ens3 table 1000 scope link proto 110
ip -6 -n wan route add 2123:2134:abc:ddd::/64 dev ens3 table 1000 metric 1024 proto 110
ip -n wan route replace 5.6.7.0/24 dev ens4 table 1200 scope link proto 110
ip -n wan route replace default via 1.2.3.1 dev ens3 proto 110
ip -n wan route replace default via 5.6.7.1 dev ens4 metric 200 proto 110
ip -6 -n wan route add default via fe80::1 dev ens3 metric 1024 proto 110
ip -n wan route replace default via 1.2.3.1 dev ens3 table 1000 proto 110
ip -6 -n wan route add default via fe80::1 dev ens3 table 1000 metric 1024 proto 110
ip -n wan route replace default via 5.6.7.1 dev ens4 table 1200 metric 200 proto 110
ip route replace default via 192.168.158.1 dev vwan proto 110
ip -6 route add default via fe80::1 dev vwan metric 1024 proto 110
