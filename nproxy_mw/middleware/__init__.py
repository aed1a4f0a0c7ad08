"""The layers. Siblings: none imports another; `nproxy_mw.stack` puts them in the order a request meets them."""
