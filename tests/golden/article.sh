ip netns add ens3
ip -n ens3 link set dev lo alias nftnsr up
ip netns exec ens3 sysctl -qw net/ipv4/ip_forward=1 net/ipv4/conf/all/promote_secondaries=1 net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/all/rp_filter=1 net/ipv4/conf/default/rp_filter=1 net/ipv6/conf/all/forwarding=1
ip netns exec ens3 nft -f - <<'EOF'
table inet nftnsr {
	map forward_ipv4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			tcp . 22 : 192.168.158.2 . 22
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
		ip daddr 1.2.3.4 dnat ip to meta l4proto . th dport map @forward_ipv4
		ip6 daddr 2123:2134:abc:ddd::3 dnat ip6 to meta l4proto . th dport map @forward_ipv6
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "ens3" meta nfproto ipv4 masquerade
		iifname "vens3" oifname "vens3" ct status dnat masquerade
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "vens3" oifname "ens3" ip saddr 192.168.158.2 accept
		iifname "vens3" oifname "ens3" ip6 saddr 2123:2134:abc:ddd::2 accept
		oifname "vens3" ct status dnat accept
		iifname "ens3" oifname "vens3" ip6 daddr 2123:2134:abc:ddd::2 accept
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
ip address add 2123:2134:abc:ddd::2/128 dev vens3 nodad
ip link set dev vens3 up
ip -n ens3 link set dev vens3 up
ip -6 -n ens3 route add 2123:2134:abc:ddd::2/128 via fe80::2 dev vens3 metric 1024 proto 110
ip link set dev ens3 netns ens3
ip netns exec ens3 sysctl -qw net/ipv4/conf/ens3/forwarding=1 net/ipv4/conf/ens3/send_redirects=0 net/ipv4/conf/ens3/rp_filter=1 net/ipv6/conf/ens3/disable_ipv6=0 net/ipv6/conf/ens3/forwarding=1 net/ipv6/conf/ens3/accept_ra=0 net/ipv6/conf/ens3/accept_dad=0 net/ipv6/conf/ens3/proxy_ndp=1 net/ipv6/neigh/ens3/proxy_delay=0
ip -n ens3 address add 1.2.3.4/24 dev ens3
ip -n ens3 address add 2123:2134:abc:ddd::3/64 dev ens3 nodad
ip -n ens3 link set dev ens3 up
ip -n ens3 neigh replace proxy 2123:2134:abc:ddd::2 dev ens3
ip -n ens3 route replace default via 1.2.3.1 dev ens3 proto 110
ip -6 -n ens3 route add default via 2123:2134:abc:ddd::1 dev ens3 metric 1024 proto 110
ip route replace default via 192.168.158.1 dev vens3 proto 110
ip -6 route add default via fe80::1 dev vens3 metric 1024 proto 110
