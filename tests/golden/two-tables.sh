ip netns add wan
ip -n wan link set dev lo alias nftnsr up
ip netns exec wan sysctl -qw net/ipv4/ip_forward=1 net/ipv4/conf/all/promote_secondaries=1 net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/all/rp_filter=1 net/ipv4/conf/default/rp_filter=1 net/ipv6/conf/all/forwarding=1
ip -n wan route replace blackhole 10.0.0.0/8 proto 110
ip -n wan rule add from all to 192.168.158.2/32 priority 999 lookup 254 protocol 110
ip -n wan rule add from all to 10.42.0.0/24 priority 999 lookup 254 protocol 110
ip -n wan rule add from all to 10.60.0.0/24 priority 999 lookup 254 protocol 110
ip -n wan rule add from 10.60.0.0/24 priority 1000 lookup 100 protocol 110
ip netns exec wan nft -f - <<'EOF'
table inet nftnsr {
	map forward_ipv4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			tcp . 22 : 192.168.158.2 . 22,
			tcp . 25 : 10.60.0.25 . 25
		}
	}

	map forward_ipv6 {
		type inet_proto . inet_service : ipv6_addr . inet_service
		counter
		elements = {
			tcp . 22 : 2001:db8:113::2 . 22
		}
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 203.0.113.10 dnat ip to meta l4proto . th dport map @forward_ipv4
		ip6 daddr 2001:db8:113::3 dnat ip6 to meta l4proto . th dport map @forward_ipv6
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "enp1s0" meta nfproto ipv4 masquerade
		iifname "vwan" oifname "vwan" ct status dnat masquerade
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "vwan" oifname "enp1s0" ip saddr { 192.168.158.2, 10.42.0.0/24, 10.60.0.0/24 } accept
		iifname "vwan" oifname "enp1s0" ip6 saddr 2001:db8:113::2 accept
		oifname "vwan" ct status dnat accept
		iifname "enp1s0" oifname "vwan" ip6 daddr 2001:db8:113::2 accept
	}
}
EOF
ip link add name vwan address 02:8a:b9:fe:b6:c2 mtu 1492 type veth peer name vwan address 02:b6:ce:88:3c:1c mtu 1492 netns wan
sysctl -qw net/ipv6/conf/vwan/addr_gen_mode=1 net/ipv6/conf/vwan/disable_ipv6=0
ip netns exec wan sysctl -qw net/ipv4/conf/vwan/forwarding=1 net/ipv4/conf/vwan/send_redirects=0 net/ipv4/conf/vwan/rp_filter=1 net/ipv6/conf/vwan/disable_ipv6=0 net/ipv6/conf/vwan/forwarding=1 net/ipv6/conf/vwan/addr_gen_mode=1
ip address add 192.168.158.2/24 dev vwan
ip -n wan address add 192.168.158.1/24 dev vwan
ip -n wan address add fe80::1/64 dev vwan nodad
ip address add fe80::2/64 dev vwan nodad
ip address add 2001:db8:113::2/128 dev vwan nodad
ip link set dev vwan up
ip -n wan link set dev vwan up
ip -6 -n wan route add unreachable fd00::/8 dev lo metric 1024 proto 110
ip -n wan route replace 10.42.0.0/24 via 192.168.158.2 dev vwan proto 110
ip -n wan route replace 10.60.0.0/24 via 192.168.158.2 dev vwan proto 110
ip -6 -n wan route add 2001:db8:113::2/128 via fe80::2 dev vwan metric 1024 proto 110
ip link set dev enp1s0 netns wan
ip -n wan link property add dev enp1s0 altname uplink-of-wan
ip -n wan link set dev enp1s0 mtu 1492
ip netns exec wan sysctl -qw net/ipv4/conf/enp1s0/forwarding=1 net/ipv4/conf/enp1s0/send_redirects=0 net/ipv4/conf/enp1s0/rp_filter=1 net/ipv6/conf/enp1s0/disable_ipv6=0 net/ipv6/conf/enp1s0/forwarding=1 net/ipv6/conf/enp1s0/accept_ra=0 net/ipv6/conf/enp1s0/accept_dad=0 net/ipv6/conf/enp1s0/proxy_ndp=1 net/ipv6/neigh/enp1s0/proxy_delay=0
ip -n wan address add 203.0.113.10/24 dev enp1s0
ip -n wan address add 2001:db8:113::3/64 dev enp1s0 nodad
ip -n wan link set dev enp1s0 up
ip -n wan neigh replace 203.0.113.2 lladdr 02:00:5e:00:01:02 dev enp1s0 nud permanent
ip -n wan neigh replace proxy 2001:db8:113::2 dev enp1s0
ip -n wan route replace default via 203.0.113.1 dev enp1s0 proto 110
ip -6 -n wan route add default via 2001:db8:113::1 dev enp1s0 metric 1024 proto 110
ip -n wan route replace default via 203.0.113.2 dev enp1s0 table 100 proto 110
ip -n wan route replace 192.0.2.0/24 via 203.0.113.2 dev enp1s0 mtu 1400 proto 110
ip route replace default via 192.168.158.1 dev vwan proto 110
ip -6 route add default via fe80::1 dev vwan metric 1024 proto 110
