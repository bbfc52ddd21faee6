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
			tcp . 25 : 10.43.0.2 . 25,
			tcp . 80 : 10.44.0.10 . 8080,
			tcp . 465 : 10.43.0.2 . 465
		}
	}

	map forward_ipv6 {
		type inet_proto . inet_service : ipv6_addr . inet_service
		counter
		elements = {
			tcp . 22 : 2001:db8:1:2::2 . 22
		}
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 192.0.2.10 dnat ip to meta l4proto . th dport map @forward_ipv4
		ip6 daddr 2001:db8:1:2::3 dnat ip6 to meta l4proto . th dport map @forward_ipv6
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "ens3" meta nfproto ipv4 masquerade
		iifname { "vens3", "mail", "pods" } oifname { "vens3", "mail", "pods" } ct status dnat masquerade
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "vens3" oifname "ens3" ip saddr 192.168.158.2 accept
		iifname "vens3" oifname { "mail", "pods" } ip saddr 192.168.158.2 accept
		iifname "mail" oifname "ens3" ip saddr 10.43.0.2 accept
		iifname "mail" oifname { "vens3", "pods" } ip saddr 10.43.0.2 accept
		iifname "pods" oifname "ens3" ip saddr { 10.43.1.2, 10.44.0.0/16 } accept
		iifname "pods" oifname { "vens3", "mail" } ip saddr { 10.43.1.2, 10.44.0.0/16 } accept
		iifname "vens3" oifname "ens3" ip6 saddr 2001:db8:1:2::2 accept
		iifname "vens3" oifname { "mail", "pods" } ip6 saddr 2001:db8:1:2::2 accept
		iifname "mail" oifname "ens3" ip6 saddr 2001:db8:1:2::25 accept
		iifname "mail" oifname { "vens3", "pods" } ip6 saddr 2001:db8:1:2::25 accept
		oifname { "vens3", "mail", "pods" } ct status dnat accept
		iifname "ens3" oifname { "vens3", "mail", "pods" } ip6 daddr 2001:db8:1:2::25 accept
		iifname "ens3" oifname "vens3" ip6 daddr 2001:db8:1:2::2 accept
	}
}
EOF
ip link add name vens3 address 02:89:78:66:d2:a3 mtu 1500 type veth peer name vens3 address 02:f7:08:18:68:fe mtu 1500 netns ens3
ip -n ens3 link add name mail address 02:cb:62:a7:ae:a8 mtu 1500 type veth peer name eth0 address 02:d8:e2:8b:1d:e8 mtu 1500 netns mail
ip -n ens3 link add name pods address 02:46:98:26:2f:9b mtu 1500 type veth peer name eth0 address 02:e2:e0:76:be:af mtu 1500 netns pods
sysctl -qw net/ipv6/conf/vens3/addr_gen_mode=1 net/ipv6/conf/vens3/disable_ipv6=0
ip netns exec ens3 sysctl -qw net/ipv4/conf/vens3/forwarding=1 net/ipv4/conf/mail/forwarding=1 net/ipv4/conf/pods/forwarding=1 net/ipv4/conf/vens3/send_redirects=0 net/ipv4/conf/mail/send_redirects=0 net/ipv4/conf/pods/send_redirects=0 net/ipv4/conf/vens3/rp_filter=1 net/ipv4/conf/mail/rp_filter=1 net/ipv4/conf/pods/rp_filter=1 net/ipv6/conf/vens3/disable_ipv6=0 net/ipv6/conf/vens3/forwarding=1 net/ipv6/conf/mail/disable_ipv6=0 net/ipv6/conf/mail/forwarding=1 net/ipv6/conf/pods/disable_ipv6=0 net/ipv6/conf/pods/forwarding=1 net/ipv6/conf/vens3/addr_gen_mode=1 net/ipv6/conf/mail/addr_gen_mode=1 net/ipv6/conf/pods/addr_gen_mode=1
ip netns exec mail sysctl -qw net/ipv6/conf/eth0/addr_gen_mode=1 net/ipv6/conf/eth0/disable_ipv6=0
ip netns exec pods sysctl -qw net/ipv6/conf/eth0/addr_gen_mode=1 net/ipv6/conf/eth0/disable_ipv6=0
ip address add 192.168.158.2/24 dev vens3
ip -n ens3 address add 192.168.158.1/24 dev vens3
ip -n ens3 address add 10.43.0.1/24 dev mail
ip -n ens3 address add 10.43.1.1/24 dev pods
ip -n mail address add 10.43.0.2/24 dev eth0
ip -n pods address add 10.43.1.2/24 dev eth0
ip -n pods address add fe80::2/64 dev eth0 nodad
ip -n mail address add fe80::2/64 dev eth0 nodad
ip -n mail address add 2001:db8:1:2::25/128 dev eth0 nodad
ip -n ens3 address add fe80::1/64 dev pods nodad
ip -n ens3 address add fe80::1/64 dev mail nodad
ip -n ens3 address add fe80::1/64 dev vens3 nodad
ip address add fe80::2/64 dev vens3 nodad
ip address add 2001:db8:1:2::2/128 dev vens3 nodad
ip link set dev vens3 up
ip -n ens3 link set dev vens3 up
ip -n ens3 link set dev mail up
ip -n ens3 link set dev pods up
ip -n mail link set dev eth0 up
ip -n pods link set dev eth0 up
ip -n ens3 route replace 10.44.0.0/16 via 10.43.1.2 dev pods proto 110
ip -6 -n ens3 route add 2001:db8:1:2::2/128 via fe80::2 dev vens3 metric 1024 proto 110
ip -6 -n ens3 route add 2001:db8:1:2::25/128 via fe80::2 dev mail metric 1024 proto 110
ip link set dev ens3 netns ens3
ip netns exec ens3 sysctl -qw net/ipv4/conf/ens3/forwarding=1 net/ipv4/conf/ens3/send_redirects=0 net/ipv4/conf/ens3/rp_filter=1 net/ipv6/conf/ens3/disable_ipv6=0 net/ipv6/conf/ens3/forwarding=1 net/ipv6/conf/ens3/accept_ra=0 net/ipv6/conf/ens3/accept_dad=0 net/ipv6/conf/ens3/proxy_ndp=1 net/ipv6/neigh/ens3/proxy_delay=0
ip -n ens3 address add 192.0.2.10/24 dev ens3
ip -n ens3 address add 2001:db8:1:2::3/64 dev ens3 nodad
ip -n ens3 link set dev ens3 up
ip -n ens3 neigh replace proxy 2001:db8:1:2::2 dev ens3
ip -n ens3 neigh replace proxy 2001:db8:1:2::25 dev ens3
ip -n ens3 route replace default via 192.0.2.1 dev ens3 proto 110
ip -6 -n ens3 route add default via fe80::1 dev ens3 metric 1024 proto 110
ip route replace default via 192.168.158.1 dev vens3 proto 110
ip -6 route add default via fe80::1 dev vens3 metric 1024 proto 110
ip -n mail route replace default via 10.43.0.1 dev eth0 proto 110
ip -6 -n mail route add default via fe80::1 dev eth0 metric 1024 proto 110
ip -n pods route replace default via 10.43.1.1 dev eth0 proto 110
