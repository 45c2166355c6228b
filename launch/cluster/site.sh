# Settings of your site for every machine of a cluster: node.sh reads this file in Bash. All lines are optional.

# Modules to load first (Environment Modules, Lmod).
# MODULES=(python/3.11 cuda/12.8)

# Python for the new environment, if `python3` is older than 3.11.
# PYTHON=python3.11

# A proxy for pip and for storage in a bucket. Ray's own connections must not use it, so exclude your network.
# export https_proxy=http://proxy.example.org:3128 no_proxy=localhost,127.0.0.1,192.168.0.0/16

# An environment that exists at this path on every machine, such as one of conda. Nothing is installed then.
# ENVIRONMENT=/opt/conda/envs/groupdir

# A container image for all commands, by apptainer. The environment is created with the image's Python.
# CONTAINER=/mnt/shared/groupdir.sif
# CONTAINER_OPTIONS=(--nv --bind /mnt/shared --bind /var/tmp)
