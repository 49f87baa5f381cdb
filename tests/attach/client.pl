#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A client of Redis and memcached that knows what every value must be.
#
# client.pl redis|memcached SOCKET wait | write GENERATION | read GENERATION |
# save | saved | loaded
#
# A value is a function of key and generation, so that no two pages are equal.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use IO::Socket::UNIX;
use Time::HiRes qw(sleep time);

my ($kind, $path, $what, $generation) = @ARGV;
my $KEYS = $ENV{KEYS} || 32_000;
my $BATCH = 100;
my $deadline = time() + 60;
my $socket;

until ($socket = IO::Socket::UNIX->new(Peer => $path)) {
	die "no server at $path\n" if time() > $deadline;
	sleep 0.05;
}

sub value {
	my ($key) = @_;
	return md5_hex("$key/$generation") x 32;
}

sub line {
	my $text = <$socket>;
	die "the server closed the connection\n" unless defined $text;
	$text =~ s/\r?\n$//;
	return $text;
}

sub bytes {
	my ($len) = @_;
	my $got = read($socket, my $data, $len + 2);
	die "short read\n" unless defined $got && $got == $len + 2;
	return substr $data, 0, $len;
}

sub command {
	print $socket join('', '*' . @_ . "\r\n",
		map { '$' . length($_) . "\r\n$_\r\n" } @_);
}

sub set {
	my ($key) = @_;
	my $value = value($key);
	return command('SET', "key:$key", $value) if $kind eq 'redis';
	print $socket "set key:$key 0 0 1024\r\n$value\r\n";
}

sub get {
	my ($key) = @_;
	return command('GET', "key:$key") if $kind eq 'redis';
	print $socket "get key:$key\r\n";
}

sub check_set {
	my $answer = line();
	die "set: $answer\n" unless $answer =~ /^(\+OK|STORED)$/;
}

sub check_get {
	my ($key) = @_;
	my $head = line();
	die "key $key: $head\n" unless $head =~ /^(\$|VALUE .* )1024$/;
	die "key $key has a wrong value\n" unless bytes(1024) eq value($key);
	line() if $kind ne 'redis';
}

# In an order that is no order for the server's memory.
sub batches {
	my ($send, $check) = @_;
	my @keys = map { ($_ * 7919) % $KEYS } 0 .. $KEYS - 1;

	while (my @some = splice @keys, 0, $BATCH) {
		$send->($_) for @some;
		$socket->flush;
		$check->($_) for @some;
	}
}

sub info {
	my ($field) = @_;
	command('INFO', 'persistence');
	$socket->flush;
	my ($len) = line() =~ /^\$(\d+)$/ or die "INFO failed\n";
	my ($found) = bytes($len) =~ /^$field:(\S+)/m;
	return $found;
}

if ($what eq 'write') {
	batches(\&set, \&check_set);
} elsif ($what eq 'read') {
	batches(\&get, \&check_get);
} elsif ($what eq 'save') {
	command('BGSAVE');
	$socket->flush;
	die "BGSAVE refused\n" unless line() =~ /^\+/;
} elsif ($what eq 'saved') {
	while (info('rdb_bgsave_in_progress') ne '0') {
		die "BGSAVE does not end\n" if time() > $deadline;
		sleep 0.05;
	}
	my $status = info('rdb_last_bgsave_status');
	die "BGSAVE: $status\n" unless $status eq 'ok';
} elsif ($what eq 'loaded') {
	while (info('loading') ne '0') {
		die "the dump does not load\n" if time() > $deadline;
		sleep 0.05;
	}
}
