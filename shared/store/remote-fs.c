/* remote-fs.c -- LMDB's locks and shared map do not hold on a network file system: refuse it. */
#include "store/store-private.h"

#include <errno.h>
#include <sys/vfs.h>

/* statfs(2) magic numbers, also of those that have no name in linux/magic.h. A cluster file system shares its files
 * between machines just as a network one does; behind FUSE and 9p may be anything. overlayfs, tmpfs and the file
 * systems of containers are local and not here. */
static const struct remote_fs {
	uint32_t magic;
	const char *name;
} remote_fs[] = {
	{ 0x00006969, "NFS" },
	{ 0x0000517b, "SMB" },
	{ 0xfe534d42, "SMB2" },
	{ 0xff534d42, "CIFS" },
	{ 0x0000564c, "NCP" },
	{ 0x65735546, "FUSE" },
	{ 0x01021997, "9p" },
	{ 0x5346414f, "AFS" },
	{ 0x6b414653, "AFS" },
	{ 0x00c36400, "Ceph" },
	{ 0x73757245, "Coda" },
	{ 0x01161970, "GFS2" },
	{ 0x7461636f, "OCFS2" },
	{ 0x0bd00bd0, "Lustre" },
	{ 0x47504653, "GPFS" },
	{ 0xaad7aaea, "PanFS" },
	{ 0x19830326, "BeeGFS" },
	{ 0x20030528, "OrangeFS" },
	{ 0x786f4256, "vboxsf" },
	{ 0xbacbacbc, "vmhgfs" },
	{ 0x7c7c6673, "prl_fs" },
};

const char *remote_fs_name(uint32_t magic)
{
	for (size_t i = 0; i < ARRAY_LEN(remote_fs); i++)
		if (remote_fs[i].magic == magic)
			return remote_fs[i].name;
	return NULL;
}

const char *store_remote_fs(const char *path)
{
	struct statfs s;

	return statfs(path, &s) == 0 ? remote_fs_name((uint32_t)s.f_type) : NULL;
}

enum rc remote_fs_check(const char *path, struct why *why)
{
	struct statfs s;
	const char *name;

	if (statfs(path, &s) != 0) {
		why_set(why, "%s: %s", path, strerror(errno));
		return errno == ENOENT || errno == ENOTDIR ? RC_NOT_FOUND : RC_IO;
	}
	/* f_type is signed where a long has 32 bits: compare the low 32. */
	name = remote_fs_name((uint32_t)s.f_type);
	if (!name)
		return RC_OK;
	why_set(why, "%s is on a network file system (%s), where LMDB loses data: use a local disk", path, name);
	return RC_REMOTE_FS;
}
