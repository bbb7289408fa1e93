#!/bin/sh
# 53 transactions of an insert each, every one forced to the disk, then a query, by sqlite3.
{
	echo 'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);'
	i=0
	while [ $i -lt 53 ]; do
		i=$((i + 1))
		echo "INSERT INTO t (text) VALUES ('row $i');"
	done
	echo 'SELECT count(*) FROM t;'
} > statements.sql
sqlite3 data.db < statements.sql > result
exit "$(tail -1 result)"
