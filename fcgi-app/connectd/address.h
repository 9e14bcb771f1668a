/* address.h -- which addresses of the network a connection may reach.
 *
 * Judged on the very socket address that is about to be connected to, after every name was looked up and every
 * spelling (decimal, octal, hexadecimal) was read: there is no text left to disguise an address in. */
#ifndef POSTERN_FCGI_APP_CONNECTD_ADDRESS_H
#define POSTERN_FCGI_APP_CONNECTD_ADDRESS_H

#include "fcgi-app/connectd/connection.h"

#include <sys/socket.h>

/* "10.0.0.0/8", "fd00::/8", or a single address without "/". false: not one, or it has bits behind its prefix. */
bool network_parse(const char *text, struct network *ret);

/* A host of the public network: no private, shared, loopback, link-local, multicast, unspecified, reserved or
 * documentation address, and no IPv6 address that carries an IPv4 one. Any other family is not public. */
bool address_public(const struct sockaddr *a);

/* Public, or inside one of the networks. */
bool address_permitted(const struct sockaddr *a, const struct network *networks, size_t count);

#endif
