"""The layers, in the order a request meets them. Siblings: none imports another; `nproxy_mw.stack` puts them together."""
