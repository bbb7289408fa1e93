/*
 * Traffic of a machine with itself, known by number: a TCP connection, one that is refused, datagrams,
 * one that is refused, a unix socket, and questions to a name server with their answers. Ends with 0 when all of it arrived.
 * The argument is the address that is used instead of 127.0.0.1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TCP_PORT = 5000,
	UDP_PORT = 5001,
	CLOSED_PORT = 5002,
	DNS_PORT = 53,
	PART = 10000,
	PARTS = 10,
	ANSWER = 5000,
	DATAGRAMS = 20,
	DATAGRAM = 100,
	NAMES = 3,
	PATH_PARTS = 4,
};

static char bytes[PART];
static const char *self = "127.0.0.1";

static void need(int condition, const char *what)
{
	if (!condition) {
		perror(what);
		exit(1);
	}
}

static struct sockaddr_in local(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	address.sin_addr.s_addr = inet_addr(self);
	return address;
}

/* A socket that is bound to a port of this machine. */
static int bound(int type, int port)
{
	struct sockaddr_in address = local(port);
	int fd = socket(AF_INET, type, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	need(!bind(fd, (struct sockaddr *)&address, sizeof(address)), "bind");
	return fd;
}

/* What is read until the other side ends; the number of bytes. */
static long read_all(int fd)
{
	long sum = 0, got;

	while ((got = read(fd, bytes, sizeof(bytes))) > 0)
		sum += got;
	return sum;
}

/* Takes one connection from a child that sends PARTS times SIZE bytes, and sends ANSWER back. */
static void stream(int listener, const struct sockaddr *address, socklen_t length, int parts, int size)
{
	int fd, status = 1;
	pid_t child;

	need(!listen(listener, 1), "listen");
	child = fork();
	if (child == 0) {
		fd = socket(address->sa_family, SOCK_STREAM, 0);
		need(!connect(fd, address, length), "connect");
		for (int i = 0; i < parts; i++)
			need(write(fd, bytes, size) == size, "write");
		shutdown(fd, SHUT_WR);
		_exit(read_all(fd) != ANSWER);
	}
	fd = accept(listener, NULL, NULL);
	need(read_all(fd) == (long)parts * size, "read");
	need(write(fd, bytes, ANSWER) == ANSWER, "write");
	close(fd);
	close(listener);
	waitpid(child, &status, 0);
	need(status == 0, "child");
}

static void tcp(void)
{
	struct sockaddr_in address = local(TCP_PORT), closed = local(CLOSED_PORT);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	stream(bound(SOCK_STREAM, TCP_PORT), (struct sockaddr *)&address, sizeof(address), PARTS, PART);
	need(connect(fd, (struct sockaddr *)&closed, sizeof(closed)) < 0, "connect");
	close(fd);
}

static void unix_stream(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/tmp/traffic" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(address.sun_path);
	need(!bind(fd, (struct sockaddr *)&address, sizeof(address)), "bind");
	stream(fd, (struct sockaddr *)&address, sizeof(address), PATH_PARTS, PART);
}

static void datagrams(void)
{
	struct sockaddr_in address = local(UDP_PORT);
	int server = bound(SOCK_DGRAM, UDP_PORT), client = socket(AF_INET, SOCK_DGRAM, 0);

	need(!connect(client, (struct sockaddr *)&address, sizeof(address)), "connect");
	for (int i = 0; i < DATAGRAMS; i++) {
		need(send(client, bytes, DATAGRAM, 0) == DATAGRAM, "send");
		need(recv(server, bytes, sizeof(bytes), 0) == DATAGRAM, "recv");
	}
	close(client);
	close(server);
}

static void refused_datagram(void)
{
	struct sockaddr_in closed = local(CLOSED_PORT);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	need(!connect(fd, (struct sockaddr *)&closed, sizeof(closed)), "connect");
	need(send(fd, bytes, DATAGRAM, 0) == DATAGRAM, "send");
	need(recv(fd, bytes, sizeof(bytes), 0) < 0 && errno == ECONNREFUSED, "recv");
	close(fd);
}

/* Asks for the address of test.example, and answers 192.0.2.1. */
static void names(void)
{
	static const char question[] = "\x04test\x07" "example\0\0\x01\0\x01";
	static const char answer[] = "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01";
	struct sockaddr_in address = local(DNS_PORT), from;
	int server = bound(SOCK_DGRAM, DNS_PORT), client = socket(AF_INET, SOCK_DGRAM, 0);
	size_t asked = 12 + sizeof(question) - 1, answered = asked + sizeof(answer) - 1;

	for (int i = 0; i < NAMES; i++) {
		char message[512] = { 0x12, (char)i, 1, 0, 0, 1 };
		socklen_t length = sizeof(from);

		memcpy(message + 12, question, sizeof(question) - 1);
		need(sendto(client, message, asked, 0, (struct sockaddr *)&address, sizeof(address)) > 0, "sendto");
		need(recvfrom(server, message, sizeof(message), 0, (struct sockaddr *)&from, &length) > 0, "recvfrom");
		message[2] = (char)0x81;
		message[3] = (char)0x80;
		message[7] = 1;
		memcpy(message + asked, answer, sizeof(answer) - 1);
		need(sendto(server, message, answered, 0, (struct sockaddr *)&from, length) > 0, "sendto");
		need(recv(client, message, sizeof(message), 0) == (ssize_t)answered, "recv");
	}
	close(client);
	close(server);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		self = argv[1];
	tcp();
	unix_stream();
	datagrams();
	refused_datagram();
	names();
	return 0;
}
