ip netns add eth0
ip -n eth0 link set dev lo alias nftnsr up
ip netns exec eth0 sysctl -qw net/ipv4/ip_forward=1 net/ipv4/conf/all/promote_secondaries=1 net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/all/rp_filter=1 net/ipv4/conf/default/rp_filter=1 net/ipv6/conf/all/forwarding=0
ip netns exec eth0 nft -f - <<'EOF'
table inet nftnsr {
	map forward_ipv4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			tcp . 22 : 192.168.158.2 . 22,
			tcp . 80 : 192.168.158.2 . 80,
			tcp . 443 : 192.168.158.2 . 443
		}
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 198.51.100.7 dnat ip to meta l4proto . th dport map @forward_ipv4
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
		oifname "veth0" ct status dnat accept
	}
}
EOF
ip link add name veth0 address 02:fa:bd:59:1d:5f mtu 1500 type veth peer name veth0 address 02:70:b5:be:cc:41 mtu 1500 netns eth0
sysctl -qw net/ipv6/conf/veth0/addr_gen_mode=1
ip netns exec eth0 sysctl -qw net/ipv4/conf/veth0/forwarding=1 net/ipv4/conf/veth0/send_redirects=0 net/ipv4/conf/veth0/rp_filter=1 net/ipv6/conf/veth0/disable_ipv6=1 net/ipv6/conf/veth0/forwarding=0 net/ipv6/conf/veth0/addr_gen_mode=1
ip address add 192.168.158.2/24 dev veth0
ip -n eth0 address add 192.168.158.1/24 dev veth0
ip link set dev veth0 up
ip -n eth0 link set dev veth0 up
ip link set dev eth0 netns eth0
ip netns exec eth0 sysctl -qw net/ipv4/conf/eth0/forwarding=1 net/ipv4/conf/eth0/send_redirects=0 net/ipv4/conf/eth0/rp_filter=1 net/ipv6/conf/eth0/disable_ipv6=1 net/ipv6/conf/eth0/forwarding=0 net/ipv6/conf/eth0/accept_ra=0 net/ipv6/conf/eth0/accept_dad=0 net/ipv6/conf/eth0/proxy_ndp=0 net/ipv6/neigh/eth0/proxy_delay=0
ip -n eth0 address add 198.51.100.7/24 dev eth0
ip -n eth0 link set dev eth0 up
ip -n eth0 route replace default via 198.51.100.1 dev eth0 proto 110
ip route replace default via 192.168.158.1 dev veth0 proto 110
