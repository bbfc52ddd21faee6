ip netns add eth0
ip -n eth0 link set dev lo alias nftnsr up
ip netns exec eth0 sysctl -qw net/ipv4/ip_forward=1 net/ipv4/conf/all/promote_secondaries=1 net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/all/rp_filter=1 net/ipv4/conf/default/rp_filter=1 net/ipv6/conf/all/forwarding=1
ip netns exec eth0 nft -f - <<'EOF'
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
			tcp . 22 : 2001:db8:40:1::1 . 22,
			tcp . 443 : 2001:db8:40:1::1 . 443
		}
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 198.51.100.30 dnat ip to meta l4proto . th dport map @forward_ipv4
		ip6 daddr 2001:db8:40:1::2 dnat ip6 to meta l4proto . th dport map @forward_ipv6
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "eth0" meta nfproto ipv4 masquerade
		iifname "veth0" oifname "veth0" ct status dnat masquerade
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "veth0" oifname "eth0" ip saddr 192.168.158.2 accept
		iifname "veth0" oifname "eth0" ip6 saddr 2001:db8:40:1::1 accept
		oifname "veth0" ct status dnat accept
		iifname "eth0" oifname "veth0" ip6 daddr 2001:db8:40:1::1 accept
	}
}
EOF
ip link add name veth0 address 02:fa:bd:59:1d:5f mtu 1500 type veth peer name veth0 address 02:70:b5:be:cc:41 mtu 1500 netns eth0
sysctl -qw net/ipv6/conf/veth0/addr_gen_mode=1 net/ipv6/conf/veth0/disable_ipv6=0
ip netns exec eth0 sysctl -qw net/ipv4/conf/veth0/forwarding=1 net/ipv4/conf/veth0/send_redirects=0 net/ipv4/conf/veth0/rp_filter=1 net/ipv6/conf/veth0/disable_ipv6=0 net/ipv6/conf/veth0/forwarding=1 net/ipv6/conf/veth0/addr_gen_mode=1
ip address add 192.168.158.2/24 dev veth0
ip -n eth0 address add 192.168.158.1/24 dev veth0
ip -n eth0 address add fe80::1/64 dev veth0 nodad
ip address add fe80::2/64 dev veth0 nodad
ip address add 2001:db8:40:1::1/128 dev veth0 nodad
ip link set dev veth0 up
ip -n eth0 link set dev veth0 up
ip -6 -n eth0 route add 2001:db8:40:1::1/128 via fe80::2 dev veth0 metric 1024 proto 110
ip link set dev eth0 netns eth0
ip netns exec eth0 sysctl -qw net/ipv4/conf/eth0/forwarding=1 net/ipv4/conf/eth0/send_redirects=0 net/ipv4/conf/eth0/rp_filter=1 net/ipv6/conf/eth0/disable_ipv6=0 net/ipv6/conf/eth0/forwarding=1 net/ipv6/conf/eth0/accept_ra=0 net/ipv6/conf/eth0/accept_dad=0 net/ipv6/conf/eth0/proxy_ndp=1 net/ipv6/neigh/eth0/proxy_delay=0
ip -n eth0 address add 198.51.100.30/32 dev eth0
ip -n eth0 address add 2001:db8:40:1::2/64 dev eth0 nodad
ip -n eth0 link set dev eth0 up
ip -n eth0 neigh replace proxy 2001:db8:40:1::1 dev eth0
ip -n eth0 route replace default via 172.31.1.1 dev eth0 onlink proto 110
ip -6 -n eth0 route add default via fe80::1 dev eth0 metric 1024 proto 110
ip route replace default via 192.168.158.1 dev veth0 proto 110
ip -6 route add default via fe80::1 dev veth0 metric 1024 proto 110
