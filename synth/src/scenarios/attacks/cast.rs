//! Who is there on any machine: services that were started long before the recording.

use crate::scenarios::attacks::stage::{SECOND, place};
use crate::world::{BOOT_NS, Program, World};

/// Services, each by its first thread.
pub(super) struct Cast {
    pub systemd: u32,
    pub sshd: u32,
    pub cron: u32,
    pub rsyslogd: u32,
    pub auditd: u32,
    /// A server of pages and its worker.
    pub nginx: u32,
    pub nginx_worker: u32,
    pub php: u32,
    /// An application, behind it.
    pub app: u32,
    pub postgres: u32,
    pub redis: u32,
    pub dockerd: u32,
    pub containerd: u32,
    /// The browser of somebody at the machine's own screen.
    pub firefox: u32,
    /// Where that one has shells, and where root has.
    pub terminal: u32,
    pub tmux: u32,
}

impl Cast {
    pub fn new(world: &mut World) -> Cast {
        let mut service = |exe: &str, args: &str, uid: i64, unit: &str| {
            service(world, 0, exe, args, uid, &format!("/system.slice/{unit}"))
        };
        let sshd = service("/usr/sbin/sshd", "-D", 0, "ssh.service");
        let cron = service("/usr/sbin/cron", "-f", 0, "cron.service");
        let rsyslogd = service("/usr/sbin/rsyslogd", "-n -iNONE", 0, "rsyslog.service");
        let auditd = service("/usr/sbin/auditd", "", 0, "auditd.service");
        let nginx = service("/usr/sbin/nginx", "-g 'daemon on;'", 0, "nginx.service");
        let php = service("/usr/sbin/php-fpm8.2", "--nodaemonize", 33, "php8.2-fpm.service");
        let app = service("/opt/shop/bin/shopd", "--port 8000", 998, "shop.service");
        let database = "/usr/lib/postgresql/16/bin/postgres";
        let postgres =
            service(database, "-D /var/lib/postgresql/16/main", 108, "postgresql.service");
        let redis = service("/usr/bin/redis-server", "127.0.0.1:6379", 109, "redis.service");
        let dockerd = service("/usr/bin/dockerd", "-H fd://", 0, "docker.service");
        let containerd = service("/usr/bin/containerd", "", 0, "containerd.service");
        let parent = world.threads[nginx as usize].process;
        let group = "/system.slice/nginx.service";
        let nginx_worker = self::service(world, parent, "/usr/sbin/nginx", "", 33, group);
        let session = "/user.slice/user-1000.slice/session-1.scope";
        let desktop = self::service(world, 0, "/usr/bin/gnome-shell", "", 1000, session);
        let parent = world.threads[desktop as usize].process;
        let browser = "/usr/lib/firefox-esr/firefox-esr";
        let firefox = self::service(world, parent, browser, "", 1000, session);
        let terminal = "/usr/libexec/gnome-terminal-server";
        let terminal = self::service(world, parent, terminal, "", 1000, session);
        let session = "/user.slice/user-0.slice/session-2.scope";
        let tmux = self::service(world, 0, "/usr/bin/tmux", "new -s admin", 0, session);
        Cast {
            systemd: 0,
            sshd,
            cron,
            rsyslogd,
            auditd,
            nginx,
            nginx_worker,
            php,
            app,
            postgres,
            redis,
            dockerd,
            containerd,
            firefox,
            terminal,
            tmux,
        }
    }
}

fn service(world: &mut World, parent: usize, exe: &str, args: &str, uid: i64, cgroup: &str) -> u32 {
    let name: String = exe.rsplit('/').next().unwrap_or_default().chars().take(15).collect();
    let argv = if args.is_empty() { exe.to_string() } else { format!("{exe} {args}") };
    let program = Program {
        path: exe.to_string(),
        exe: exe.to_string(),
        argv,
        cwd: if uid == 1000 { "/home/ada" } else { "/" }.to_string(),
        comm: name,
        uid,
        euid: uid,
    };
    // One after the other, and long before the recording: none of them is seen to start.
    let start = BOOT_NS + world.processes.len() as i64 * 3 * SECOND;
    world.fork(start, Some(parent), program, place(cgroup))
}
