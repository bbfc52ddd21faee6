ip netns add nat
ip -n nat link set dev lo alias nftnsr up
ip netns exec nat sysctl -qw net/ipv4/ip_forward=1 net/ipv4/conf/all/promote_secondaries=1 net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/all/rp_filter=1 net/ipv4/conf/default/rp_filter=1 net/ipv6/conf/all/forwarding=1
ip netns exec nat nft -f - <<'EOF'
table inet nftnsr {
	map forward_ipv4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			tcp . 80 : 10.42.0.10 . 80,
			tcp . 443 : 10.42.0.10 . 443
		}
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 203.0.113.11 dnat ip to meta l4proto . th dport map @forward_ipv4
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "up0" meta nfproto ipv4 masquerade
		iifname "vnat" oifname "vnat" ct status dnat masquerade
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "vnat" oifname "up0" ip saddr { 192.168.158.2, 10.42.0.0/24 } accept
		oifname "vnat" ct status dnat accept
	}
}
EOF
ip link add name vnat address 02:11:6b:0f:11:c2 mtu 1500 type veth peer name vnat address 02:7a:46:d0:b9:04 mtu 1500 netns nat
ip link add link enp1s0 name up0 address 02:00:00:20:01:0b netns nat type macvlan mode bridge
sysctl -qw net/ipv6/conf/vnat/addr_gen_mode=1 net/ipv6/conf/vnat/disable_ipv6=0
ip netns exec nat sysctl -qw net/ipv4/conf/up0/forwarding=1 net/ipv4/conf/vnat/forwarding=1 net/ipv4/conf/up0/send_redirects=0 net/ipv4/conf/vnat/send_redirects=0 net/ipv4/conf/up0/rp_filter=1 net/ipv4/conf/vnat/rp_filter=1 net/ipv6/conf/up0/disable_ipv6=0 net/ipv6/conf/up0/forwarding=1 net/ipv6/conf/vnat/disable_ipv6=0 net/ipv6/conf/vnat/forwarding=1 net/ipv6/conf/vnat/addr_gen_mode=1 net/ipv6/conf/up0/accept_ra=0 net/ipv6/conf/up0/accept_dad=0 net/ipv6/conf/up0/proxy_ndp=0 net/ipv6/neigh/up0/proxy_delay=0
ip address add 192.168.158.2/24 dev vnat
ip -n nat address add 192.168.158.1/24 dev vnat
ip -n nat address add 203.0.113.11/24 dev up0
ip -n nat address add 2001:db8:113::b/64 dev up0 nodad
ip -n nat address add fe80::1/64 dev vnat nodad
ip address add fe80::2/64 dev vnat nodad
ip address add fd00:158::2/128 dev vnat nodad
ip link set dev vnat up
ip -n nat link set dev vnat up
ip -n nat link set dev up0 up
ip -n nat route replace 10.42.0.0/24 via 192.168.158.2 dev vnat proto 110
ip -n nat route replace default via 203.0.113.1 dev up0 proto 110
ip -6 -n nat route add fd00:158::2/128 via fe80::2 dev vnat metric 1024 proto 110
ip -6 -n nat route add default via 2001:db8:113::1 dev up0 metric 1024 proto 110
ip route replace default via 192.168.158.1 dev vnat table 100 proto 110
ip -6 route add default via fe80::1 dev vnat table 100 metric 1024 proto 110
ip rule add from 192.168.158.2/32 to 203.0.113.0/24 priority 998 lookup 100 protocol 110
ip rule add from 192.168.158.2/32 priority 999 lookup 254 suppress_prefixlength 0 protocol 110
ip rule add from 192.168.158.2/32 priority 1000 lookup 100 protocol 110
ip rule add from 10.42.0.0/24 to 203.0.113.0/24 priority 998 lookup 100 protocol 110
ip rule add from 10.42.0.0/24 priority 999 lookup 254 suppress_prefixlength 0 protocol 110
ip rule add from 10.42.0.0/24 priority 1000 lookup 100 protocol 110
ip -6 rule add from fd00:158::2/128 to 2001:db8:113::/64 priority 998 lookup 100 protocol 110
ip -6 rule add from fd00:158::2/128 priority 999 lookup 254 suppress_prefixlength 0 protocol 110
ip -6 rule add from fd00:158::2/128 priority 1000 lookup 100 protocol 110
