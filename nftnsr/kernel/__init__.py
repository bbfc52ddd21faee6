"""The only code that talks to Linux: namespaces, rtnetlink, nftables, sysctl."""
