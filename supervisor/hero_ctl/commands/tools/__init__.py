"""The commands on heroctl itself and on the service as a whole: config, completion, whoami, rpc, top, ui."""
