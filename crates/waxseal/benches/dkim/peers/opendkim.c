/* Verifies a message again and again with libopendkim, and says what that takes of processor time.
 *
 * Usage: opendkim MESSAGE TXT_RECORDS MILLISECONDS. Prints `us=` microseconds for one message. The
 * message has CRLF at the ends of its lines. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <opendkim/dkim.h>

/* What a mail server sends to a milter at once. */
enum { PIECE = 65535, MAX_FIELDS = 100 };

static char *texts;
static unsigned char *message;
static size_t message_size;

/* Where the fields of the header are, and the body. */
static struct {
	size_t at, size;
} fields[MAX_FIELDS];
static int field_count;
static size_t body_at;

static void fail(const char *what)
{
	fprintf(stderr, "opendkim: %s\n", what);
	exit(1);
}

static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		fail(path);
	fseek(file, 0, SEEK_END);
	*size = (size_t)ftell(file);
	rewind(file);
	char *octets = malloc(*size + 1);
	if (octets == NULL || fread(octets, 1, *size, file) != *size)
		fail(path);
	octets[*size] = '\0';
	fclose(file);
	return octets;
}

static void find_fields(void)
{
	size_t begin = 0;
	for (size_t at = 0; at + 2 < message_size; at++) {
		if (message[at] != '\r' || message[at + 1] != '\n')
			continue;
		if (message[at + 2] == ' ' || message[at + 2] == '\t')
			continue;
		if (field_count == MAX_FIELDS)
			fail("too many fields");
		fields[field_count].at = begin;
		fields[field_count++].size = at - begin;
		begin = at + 2;
		if (message[begin] == '\r') {
			body_at = begin + 2;
			return;
		}
	}
	fail("no body");
}

static DKIM_CBSTAT find_key(DKIM *dkim, DKIM_SIGINFO *signature, unsigned char *key, size_t size)
{
	(void)dkim;
	char name[300];
	snprintf(name, sizeof name, "%s._domainkey.%s\t", dkim_sig_getselector(signature),
	         dkim_sig_getdomain(signature));
	const char *line = strstr(texts, name);
	if (line == NULL)
		return DKIM_CBSTAT_NOTFOUND;
	const char *text = line + strlen(name);
	snprintf((char *)key, size, "%.*s", (int)strcspn(text, "\n"), text);
	return DKIM_CBSTAT_CONTINUE;
}

static bool verify(DKIM_LIB *library)
{
	DKIM_STAT status;
	DKIM *dkim = dkim_verify(library, (const unsigned char *)"benchmark", NULL, &status);
	if (dkim == NULL)
		return false;
	for (int i = 0; i < field_count; i++) {
		if (dkim_header(dkim, message + fields[i].at, fields[i].size) != DKIM_STAT_OK)
			return false;
	}
	if (dkim_eoh(dkim) != DKIM_STAT_OK)
		return false;
	for (size_t at = body_at; at < message_size; at += PIECE) {
		size_t left = message_size - at;
		if (dkim_body(dkim, message + at, left < PIECE ? left : PIECE) != DKIM_STAT_OK)
			return false;
	}
	bool is_valid = dkim_eom(dkim, NULL) == DKIM_STAT_OK;
	dkim_free(dkim);
	return is_valid;
}

static double measure(DKIM_LIB *library, double seconds)
{
	clock_t begin = clock();
	for (long count = 1;; count++) {
		if (!verify(library))
			fail("not verified");
		double used = (double)(clock() - begin) / CLOCKS_PER_SEC;
		if (used >= seconds)
			return used / (double)count;
	}
}

int main(int argc, char **argv)
{
	if (argc != 4)
		fail("expected MESSAGE TXT_RECORDS MILLISECONDS");
	size_t ignored;
	message = (unsigned char *)read_file(argv[1], &message_size);
	texts = read_file(argv[2], &ignored);
	double seconds = atof(argv[3]) / 1000;
	find_fields();
	DKIM_LIB *library = dkim_init(NULL, NULL);
	if (library == NULL || dkim_set_key_lookup(library, find_key) != DKIM_STAT_OK)
		fail("cannot begin");
	measure(library, seconds / 4);
	printf("us=%.3f\n", measure(library, seconds) * 1e6);
	return 0;
}
