/* null-responder.c -- the floor that the worker is measured against: what libfcgi itself costs behind a web server.
 *
 * null-responder SOCKET THREADS FILE. Each thread sits in FCGX_Accept_r(), the way libfcgi is meant to be used, reads
 * the request's parameters and body to their end, and sends the bytes of FILE, which is an answer of Postern's: header
 * lines and body. It looks at nothing and decides nothing. */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define BACKLOG 1024
#define ANSWER_MAX 65536

static char answer[ANSWER_MAX];
static int answer_size;
static int listener;

static void *serve(void *arg)
{
	FCGX_Request r;
	char body[4096];

	(void)arg;
	if (FCGX_InitRequest(&r, listener, 0) != 0)
		exit(1);
	while (FCGX_Accept_r(&r) == 0) {
		while (FCGX_GetStr(body, sizeof(body), r.in) == (int)sizeof(body))
			;
		FCGX_PutStr(answer, answer_size, r.out);
		FCGX_Finish_r(&r);
	}
	return NULL;
}

static bool read_answer(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t size = f ? fread(answer, 1, sizeof(answer), f) : 0;

	if (f)
		fclose(f);
	answer_size = (int)size;
	return size > 0 && size < sizeof(answer);
}

int main(int argc, char **argv)
{
	int threads = argc == 4 ? atoi(argv[2]) : 0;
	pthread_t thread;

	if (threads < 1 || !read_answer(argv[3])) {
		fputs("usage: null-responder SOCKET THREADS FILE\n", stderr);
		return 2;
	}
	if (FCGX_Init() != 0 || (listener = FCGX_OpenSocket(argv[1], BACKLOG)) < 0)
		return 1;
	for (int i = 1; i < threads; i++)
		if (pthread_create(&thread, NULL, serve, NULL) != 0)
			return 1;
	serve(NULL);
	return 1;
}
