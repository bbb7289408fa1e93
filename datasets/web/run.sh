#!/bin/sh
# 97 requests of a page of 4,099 bytes and 7 of a page there is not, by two connections at a time, to nginx
# with one worker.
mkdir web
head -c 4099 /dev/zero | tr '\0' 'x' > web/page
cat > nginx.conf << 'CONF'
daemon off; master_process on; worker_processes 1; pid nginx.pid; error_log error.log;
events { worker_connections 64; }
http { access_log access.log; server { listen 127.0.0.1:18082; root web; } }
CONF
/usr/sbin/nginx -p . -c nginx.conf &
server=$!
for i in 1 2 3 4 5 6 7 8 9; do curl -s -o /dev/null http://127.0.0.1:18082/page && break; sleep 0.1; done
curl -s -Z --parallel-max 2 -o /dev/null 'http://127.0.0.1:18082/page?[1-96]'
curl -s -o /dev/null 'http://127.0.0.1:18082/missing?[1-7]'
kill -QUIT $server
wait $server
grep -c '"GET /page' access.log > served
exit "$(grep -c '" 404 ' access.log)"
