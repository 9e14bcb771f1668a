/* replay.c -- runs a fuzz target on every file of its corpus, tests/fuzz/corpus/NAME, or on the files and folders it is
 * given, and prints TAP. Linked with a target in place of libFuzzer. A file on which the target fails ends the process:
 * its name is the last line. */
#include "tests/fuzz/fuzz.h"

#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEED_MAX (1024 * 1024)
#define PREFIX "fuzz-"

struct names {
	char **name;
	size_t count;
};

static void add(struct names *ns, const char *folder, const char *name)
{
	char **more = realloc(ns->name, (ns->count + 1) * sizeof(*more));
	int n;

	REQUIRE(more);
	ns->name = more;
	n = folder ? asprintf(&more[ns->count], "%s/%s", folder, name) : asprintf(&more[ns->count], "%s", name);
	REQUIRE(n > 0);
	ns->count++;
}

static int is_seed(const struct dirent *d)
{
	return d->d_name[0] != '.' && strcmp(d->d_name, "README") != 0;
}

static void add_all(struct names *ns, const char *path)
{
	struct dirent **files = NULL;
	struct stat s;
	int count;

	if (stat(path, &s) == 0 && !S_ISDIR(s.st_mode)) {
		add(ns, NULL, path);
		return;
	}
	count = scandir(path, &files, is_seed, alphasort);
	for (int i = 0; i < count; i++) {
		add(ns, path, files[i]->d_name);
		free(files[i]);
	}
	free(files);
}

/* At its exact size on the heap, as libFuzzer hands it over. */
static void replay(const char *path)
{
	struct buf text = BUF_INIT;
	uint8_t *data;

	REQUIRE(file_read(path, SEED_MAX, &text) == RC_OK);
	data = malloc(text.size ? text.size : 1);
	REQUIRE(data);
	if (text.size)
		memcpy(data, text.data, text.size);
	LLVMFuzzerTestOneInput(data, text.size);
	free(data);
	buf_done(&text);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *program = slash ? slash + 1 : argv[0];
	char corpus[256];
	struct names seeds = { 0 };
	FILE *tap = fdopen(dup(STDOUT_FILENO), "w");      /* a target may silence stdout */

	REQUIRE(tap && strncmp(program, PREFIX, strlen(PREFIX)) == 0);
	snprintf(corpus, sizeof(corpus), "tests/fuzz/corpus/%s", program + strlen(PREFIX));
	if (argc == 1)
		add_all(&seeds, corpus);
	for (int i = 1; i < argc; i++)
		add_all(&seeds, argv[i]);
	if (seeds.count == 0) {
		fprintf(stderr, "%s: no seed in %s\n", program, argc == 1 ? corpus : argv[1]);
		return 1;
	}
	fprintf(tap, "1..%zu\n", seeds.count);
	for (size_t i = 0; i < seeds.count; i++) {
		const char *name = strrchr(seeds.name[i], '/');

		fprintf(tap, "# %s\n", seeds.name[i]);
		fflush(tap);
		replay(seeds.name[i]);
		fprintf(tap, "ok %zu - %s\n", i + 1, name ? name + 1 : seeds.name[i]);
		free(seeds.name[i]);
	}
	free(seeds.name);
	return fclose(tap) == 0 ? 0 : 1;
}
