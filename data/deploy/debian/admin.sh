# Where the master key is a credential (deploy/systemd/master-key.conf), systemd opens a sealed one for the data's owner.
sealed=/etc/postern/master.key.sealed
if [ -z "$POSTERN_MASTER_KEY_FILE" ] && [ ! -e /var/lib/postern/master.key ] && [ -e /etc/postern/master.key ]; then
	export POSTERN_MASTER_KEY_FILE=/etc/postern/master.key
fi
admin() {
	if [ -z "$POSTERN_MASTER_KEY_FILE" ] && [ -e "$sealed" ] && [ -d /run/systemd/system ]; then
		systemd-run --quiet --pipe --wait -p User=postern-admin -p Group=postern \
			-p LoadCredentialEncrypted=postern.master-key:"$sealed" postern "$@"
	else
		postern "$@"
	fi
}
