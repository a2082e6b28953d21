# In a user namespace, without an identity until the parent has given it one and says so.
# $@: what is to be run as root in there.
echo ready
read -r _
exec unshare --mount --propagation private --pid --fork --kill-child -- "$@"
