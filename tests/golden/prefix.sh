ip netns add wan
ip -n wan link set dev lo alias nftnsr up
ip netns exec wan sysctl -qw net/ipv4/ip_forward=1 net/ipv4/conf/all/promote_secondaries=1 net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/all/rp_filter=1 net/ipv4/conf/default/rp_filter=1 net/ipv6/conf/all/forwarding=1
ip netns exec wan nft -f - <<'EOF'
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
			tcp . 22 : 2001:db8:51::2 . 22,
			tcp . 80 : fd51:0:0:200::10 . 80,
			tcp . 443 : fd51:0:0:200::10 . 443
		}
	}

	map forward_ipv6_addresses {
		type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
		counter
		elements = {
			2001:db8:51::3 . tcp . 8443 : fd51:0:0:200::11 . 443
		}
	}

	map prefixes {
		type ipv6_addr : interval ipv6_addr
		flags interval
		elements = {
			2001:db8:51:100::/56 : fd51:0:0:100::/56
		}
	}

	map prefixes_out {
		type ipv6_addr : interval ipv6_addr
		flags interval
		elements = {
			fd51:0:0:100::/56 : 2001:db8:51:100::/56
		}
	}

	map snat_ipv6 {
		type ipv6_addr : interval ipv6_addr
		flags interval
		elements = {
			fd51:0:0:200::/64 : 2001:db8:51::3/128
		}
	}

	set open_ipv6 {
		type ipv6_addr . inet_proto . inet_service
		flags interval
		elements = {
			2001:db8:51:300::25 . tcp . 25,
			2001:db8:51:300::25 . tcp . 587
		}
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 198.51.100.50 dnat ip to meta l4proto . th dport map @forward_ipv4
		ip6 daddr 2001:db8:51::3 dnat ip6 to meta l4proto . th dport map @forward_ipv6
		meta l4proto { tcp, udp } dnat ip6 to ip6 daddr . meta l4proto . th dport map @forward_ipv6_addresses
		dnat ip6 prefix to ip6 daddr map @prefixes
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "eth0" meta nfproto ipv4 masquerade
		oifname "eth0" snat ip6 prefix to ip6 saddr map @prefixes_out
		oifname "eth0" snat ip6 to ip6 saddr map @snat_ipv6
		iifname "veth0" oifname "veth0" ct status dnat masquerade
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "veth0" oifname "eth0" ip saddr { 192.168.158.2, 10.42.0.0/24 } accept
		iifname "veth0" oifname "eth0" ip6 saddr { 2001:db8:51::2, 2001:db8:51:300::/64, fd51:0:0:100::/63, fd51:0:0:200::/64 } accept
		oifname "veth0" ct status dnat accept
		iifname "eth0" oifname "veth0" ip6 daddr . meta l4proto . th dport @open_ipv6 accept
		iifname "eth0" oifname "veth0" ip6 daddr 2001:db8:51::2 accept
	}
}
EOF
ip link add name veth0 address 02:8a:b9:fe:b6:c2 mtu 1500 type veth peer name veth0 address 02:b6:ce:88:3c:1c mtu 1500 netns wan
sysctl -qw net/ipv6/conf/veth0/addr_gen_mode=1 net/ipv6/conf/veth0/disable_ipv6=0
ip netns exec wan sysctl -qw net/ipv4/conf/veth0/forwarding=1 net/ipv4/conf/veth0/send_redirects=0 net/ipv4/conf/veth0/rp_filter=1 net/ipv6/conf/veth0/disable_ipv6=0 net/ipv6/conf/veth0/forwarding=1 net/ipv6/conf/veth0/addr_gen_mode=1
ip address add 192.168.158.2/24 dev veth0
ip -n wan address add 192.168.158.1/24 dev veth0
ip -n wan address add fe80::1/64 dev veth0 nodad
ip address add fe80::2/64 dev veth0 nodad
ip address add 2001:db8:51::2/128 dev veth0 nodad
ip link set dev veth0 up
ip -n wan link set dev veth0 up
ip -n wan route replace 10.42.0.0/24 via 192.168.158.2 dev veth0 proto 110
ip -6 -n wan route add 2001:db8:51::2/128 via fe80::2 dev veth0 metric 1024 proto 110
ip -6 -n wan route add fd51:0:0:100::/64 via fe80::2 dev veth0 metric 1024 proto 110
ip -6 -n wan route add fd51:0:0:101::/64 via fe80::2 dev veth0 metric 1024 proto 110
ip -6 -n wan route add fd51:0:0:200::/64 via fe80::2 dev veth0 metric 1024 proto 110
ip -6 -n wan route add 2001:db8:51:300::/64 via fe80::2 dev veth0 metric 1024 proto 110
ip link set dev eth0 netns wan
ip netns exec wan sysctl -qw net/ipv4/conf/eth0/forwarding=1 net/ipv4/conf/eth0/send_redirects=0 net/ipv4/conf/eth0/rp_filter=1 net/ipv6/conf/eth0/disable_ipv6=0 net/ipv6/conf/eth0/forwarding=1 net/ipv6/conf/eth0/accept_ra=0 net/ipv6/conf/eth0/accept_dad=0 net/ipv6/conf/eth0/proxy_ndp=1 net/ipv6/neigh/eth0/proxy_delay=0
ip -n wan address add 198.51.100.50/24 dev eth0
ip -n wan address add 2001:db8:51::3/64 dev eth0 nodad
ip -n wan link set dev eth0 up
ip -n wan neigh replace proxy 2001:db8:51::2 dev eth0
ip -n wan route replace default via 198.51.100.1 dev eth0 proto 110
ip -6 -n wan route add default via fe80::1 dev eth0 metric 1024 proto 110
ip route replace default via 192.168.158.1 dev veth0 proto 110
ip -6 route add default via fe80::1 dev veth0 metric 1024 proto 110
