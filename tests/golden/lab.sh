ip netns add wan
ip -n wan link set dev lo alias nftnsr up
ip netns exec wan sysctl -qw net/ipv4/ip_forward=1 net/ipv4/conf/all/promote_secondaries=1 net/ipv4/conf/all/send_redirects=0 net/ipv4/conf/default/send_redirects=0 net/ipv4/conf/all/accept_redirects=0 net/ipv4/conf/all/rp_filter=1 net/ipv4/conf/default/rp_filter=1 net/ipv6/conf/all/forwarding=0
ip netns exec wan nft -f - <<'EOF'
table inet nftnsr {
	ct helper ftp_tcp {
		type "ftp" protocol tcp
		l3proto inet
	}

	ct helper sip_udp {
		type "sip" protocol udp
		l3proto inet
	}

	ct helper sip_tcp {
		type "sip" protocol tcp
		l3proto inet
	}

	map limit_ipv4 {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service : verdict
		flags interval
		elements = {
			0.0.0.0/0 . 203.0.113.66 . tcp . 636 : jump limit_tcp_636_ipv4,
			0.0.0.0/0 . 203.0.113.68 . tcp . 636 : jump limit_tcp_636_ipv4
		}
	}

	set limited_tcp_636_ipv4 {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 60s
	}

	map forward_ipv4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			sctp . 2905 : 10.20.0.12 . 2905,
			tcp . 22 : 192.168.158.2 . 22,
			tcp . 636 : 10.20.0.30 . 636,
			udp . 6000 : 10.20.0.11 . 7000,
			udp . 6001 : 10.20.0.11 . 7001,
			udp . 6002 : 10.20.0.11 . 7002,
			udp . 6003 : 10.20.0.11 . 7003,
			udp . 6004 : 10.20.0.11 . 7004,
			udp . 6005 : 10.20.0.11 . 7005,
			udp . 6006 : 10.20.0.11 . 7006,
			udp . 6007 : 10.20.0.11 . 7007,
			udp . 6008 : 10.20.0.11 . 7008,
			udp . 6009 : 10.20.0.11 . 7009
		}
	}

	map forward_ipv4_addresses {
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			203.0.113.68 . tcp . 80 : 10.20.0.10 . 80,
			203.0.113.68 . tcp . 443 : 10.20.0.10 . 443,
			203.0.113.68 . udp . 443 : 10.20.0.10 . 443
		}
	}

	map forward_ipv4_sources_addresses {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
		flags interval
		counter
		elements = {
			10.20.0.0/24 . 203.0.113.66 . tcp . 5900 : 10.20.0.31 . 5900,
			10.30.0.0/16 . 203.0.113.66 . tcp . 5900 : 10.20.0.31 . 5900,
			192.0.2.0/24 . 203.0.113.66 . tcp . 5900 : 10.20.0.31 . 5900,
			192.168.158.2 . 203.0.113.66 . tcp . 5900 : 10.20.0.31 . 5900
		}
	}

	map balance_ipv4 {
		type inet_proto . inet_service : verdict
		elements = {
			tcp . 8080 : goto in_turn_tcp_8080_ipv4,
			tcp . 8081 : goto in_turn_tcp_8080_ipv4,
			tcp . 8443 : goto by_source_2_ipv4
		}
	}

	map server_1_ipv4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			tcp . 8080 : 10.20.0.21 . 8080,
			tcp . 8081 : 10.20.0.21 . 8081,
			tcp . 8443 : 10.20.0.21 . 8443
		}
	}

	map server_2_ipv4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		counter
		elements = {
			tcp . 8080 : 10.20.0.22 . 8080,
			tcp . 8081 : 10.20.0.22 . 8081,
			tcp . 8443 : 10.20.0.22 . 8443
		}
	}

	map one_to_one_ipv4 {
		type ipv4_addr : ipv4_addr
		elements = {
			203.0.113.67 : 10.20.0.25
		}
	}

	map one_to_one_out_ipv4 {
		type ipv4_addr : ipv4_addr
		elements = {
			10.20.0.25 : 203.0.113.67
		}
	}

	map snat_ipv4 {
		type ipv4_addr : interval ipv4_addr
		flags interval
		elements = {
			10.20.0.0/24 : 203.0.113.68/32
		}
	}

	map snat_ipv4_persistent {
		type ipv4_addr : interval ipv4_addr
		flags interval
		elements = {
			10.30.0.0/16 : 198.51.100.128-198.51.100.131
		}
	}

	set hidden_ipv4 {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
		flags interval
		elements = {
			0.0.0.0/0 . 203.0.113.66 . tcp . 636,
			0.0.0.0/0 . 203.0.113.68 . tcp . 636
		}
	}

	set synproxy_ipv4 {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
		flags interval
		elements = {
			0.0.0.0/0 . 203.0.113.68 . tcp . 80,
			0.0.0.0/0 . 203.0.113.68 . tcp . 443
		}
	}

	chain limit_tcp_636_ipv4 {
		update @limited_tcp_636_ipv4 { ip saddr limit rate over 20/minute burst 10 packets } drop
	}

	chain server_1_ipv4 {
		dnat ip to meta l4proto . th dport map @server_1_ipv4
	}

	chain server_2_ipv4 {
		dnat ip to meta l4proto . th dport map @server_2_ipv4
	}

	chain by_source_2_ipv4 {
		jhash ip saddr mod 2 seed 0x6e6674 vmap { 0 : goto server_1_ipv4, 1 : goto server_2_ipv4 }
	}

	chain in_turn_tcp_8080_ipv4 {
		numgen inc mod 2 vmap { 0 : goto server_1_ipv4, 1 : goto server_2_ipv4 }
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		iifname "eno1" ip saddr . ip daddr . meta l4proto . th dport @synproxy_ipv4 accept
		iifname "eno1" ip saddr . ip daddr . meta l4proto . th dport vmap @limit_ipv4
		ip daddr { 203.0.113.66, 203.0.113.68 } dnat ip to meta l4proto . th dport map @forward_ipv4
		meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @forward_ipv4_addresses
		meta l4proto { tcp, udp, sctp } dnat ip to ip saddr . ip daddr . meta l4proto . th dport map @forward_ipv4_sources_addresses
		ip daddr { 203.0.113.66, 203.0.113.68 } meta l4proto . th dport vmap @balance_ipv4
		dnat ip to ip daddr map @one_to_one_ipv4
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "eno1" ip daddr 10.8.0.0/24 accept
		oifname "eno1" snat ip to ip saddr map @one_to_one_out_ipv4
		oifname "eno1" snat ip to ip saddr map @snat_ipv4 fully-random
		oifname "eno1" snat ip to ip saddr map @snat_ipv4_persistent fully-random,persistent
		oifname "eno1" meta nfproto ipv4 masquerade fully-random
		iifname "vwan" oifname "vwan" ct status dnat masquerade
		iifname "eno1" oifname "vwan" meta l4proto { tcp, udp, sctp } ct original ip saddr . ct original ip daddr . meta l4proto . ct original proto-dst @hidden_ipv4 masquerade
	}

	chain untracked {
		type filter hook prerouting priority raw; policy accept;
		iifname "eno1" tcp flags & (fin | syn | rst | ack) == syn ip saddr . ip daddr . meta l4proto . th dport @synproxy_ipv4 notrack
	}

	chain cookies {
		type filter hook input priority filter - 1; policy accept;
		iifname "eno1" ip saddr . ip daddr . meta l4proto . th dport @synproxy_ipv4 synproxy mss 1460 wscale 7 timestamp sack-perm
	}

	chain proxied {
		meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @forward_ipv4_addresses
	}

	chain output {
		type nat hook output priority -100; policy accept;
		ip saddr . ip daddr . meta l4proto . th dport @synproxy_ipv4 goto proxied
	}

	chain output_acks {
		type filter hook output priority raw; policy accept;
		tcp flags & (syn | ack) == ack ip saddr . ip daddr . meta l4proto . th dport @synproxy_ipv4 reset tcp option timestamp
	}

	chain helpers {
		type filter hook prerouting priority filter; policy accept;
		tcp dport 21 ct helper set "ftp_tcp"
		udp dport 5060 ct helper set "sip_udp"
		tcp dport 5060 ct helper set "sip_tcp"
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		iifname "vwan" oifname "eno1" ip saddr { 192.168.158.2, 10.20.0.0/24, 10.30.0.0/16 } accept
		oifname "vwan" ct status dnat accept
	}
}
EOF
ip link add name vwan address 02:8a:b9:fe:b6:c2 mtu 1500 type veth peer name vwan address 02:b6:ce:88:3c:1c mtu 1500 netns wan
sysctl -qw net/ipv6/conf/vwan/addr_gen_mode=1
ip netns exec wan sysctl -qw net/ipv4/conf/vwan/forwarding=1 net/ipv4/conf/vwan/send_redirects=0 net/ipv4/conf/vwan/rp_filter=1 net/ipv6/conf/vwan/disable_ipv6=1 net/ipv6/conf/vwan/forwarding=0 net/ipv6/conf/vwan/addr_gen_mode=1
ip address add 192.168.158.2/24 dev vwan
ip -n wan address add 192.168.158.1/24 dev vwan
ip link set dev vwan up
ip -n wan link set dev vwan up
ip -n wan route replace 10.20.0.0/24 via 192.168.158.2 dev vwan proto 110
ip -n wan route replace 10.30.0.0/16 via 192.168.158.2 dev vwan proto 110
ip link set dev eno1 netns wan
ip netns exec wan sysctl -qw net/ipv4/conf/eno1/forwarding=1 net/ipv4/conf/eno1/send_redirects=0 net/ipv4/conf/eno1/rp_filter=1 net/ipv6/conf/eno1/disable_ipv6=1 net/ipv6/conf/eno1/forwarding=0 net/ipv6/conf/eno1/accept_ra=0 net/ipv6/conf/eno1/accept_dad=0 net/ipv6/conf/eno1/proxy_ndp=0 net/ipv6/neigh/eno1/proxy_delay=0
ip -n wan address add 203.0.113.66/28 dev eno1
ip -n wan address add 203.0.113.67/28 dev eno1
ip -n wan address add 203.0.113.68/28 dev eno1
ip -n wan link set dev eno1 up
ip -n wan route replace default via 203.0.113.65 dev eno1 proto 110
ip route replace default via 192.168.158.1 dev vwan proto 110
