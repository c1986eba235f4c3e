//! `phone`: the way on which phones reach this NAS, and at its end one person's code. An installation ends here too.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::stdio::stdout;

use super::repair;
use crate::check::live::Live;
use crate::commands::{prove, url};
use crate::nas::apache::Apache;
use crate::nas::http::{at_home, host};
use crate::owner::addresses::{address, is_own};
use crate::owner::edit::{listen_address, Edit};
use crate::owner::fault::Fault;
use crate::owner::finding::Found;
use crate::owner::names::{quoted, who};
use crate::owner::panel;
use crate::owner::screen::{Screen, Tone};
use crate::owner::secrets::Secrets;
use crate::owner::urls::{show_urls, Codes};
use crate::owner::view::View;
use crate::owner::workbench::{Workbench, INSTALLED};
use crate::parts::entry_point::{noted, show_clicks};
use crate::parts::job::EntryPointKind;

/// The ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Phones {
    /// At home only, without https
    Home,
    /// From everywhere, by DSM's reverse proxy
    Proxy,
    /// From everywhere, by a virtual host of Web Station's
    Vhost,
    /// Not yet
    Later,
}

/// The arguments of `phone`.
pub struct PhoneArgs<'w> {
    /// The way; without one whoever sits at the terminal is asked.
    pub phones: Option<Phones>,
    /// The address that phones will use.
    pub url: Option<&'w str>,
    /// The person whose code is shown at the end; without one the first.
    pub who: Option<&'w str>,
    /// Codes as well.
    pub codes: Codes,
    /// Nobody clicks in DSM meanwhile.
    pub no_wait: bool,
}

/// The time that somebody gets to click in DSM.
const PATIENCE: Duration = Duration::from_secs(3600);
/// The time between two looks whether the start page answers.
const LOOK: Duration = Duration::from_secs(3);

/// `phone`. Returns true if nothing is left to do.
pub fn run(bench: &Workbench, args: &PhoneArgs<'_>) -> Result<bool, Fault> {
    let phones = match args.phones {
        Some(phones) => phones,
        None => ask(bench)?,
    };
    if phones == Phones::Later {
        return later(bench, args);
    }
    match prepare(bench, phones, args)? {
        true => show_code(bench, args.who, args.codes).map(|()| true),
        false => Ok(false),
    }
}

/// Goes the way up to the proof by the address that phones use. Returns true if it works.
pub fn prepare(bench: &Workbench, phones: Phones, args: &PhoneArgs<'_>) -> Result<bool, Fault> {
    if bench.folder != Path::new(INSTALLED) {
        return Err(Fault::new(
            "this is a trial, which this machine alone reaches: phones reach an installation on a NAS, which ./install.sh makes",
        ));
    }
    if !bench.path("config.json").exists() {
        return Err(Fault::new("no task can be reached yet; choose one first: remotetask tasks shows what there is"));
    }
    match phones {
        Phones::Home => home(bench, args.url),
        Phones::Proxy => proxy(bench, args),
        Phones::Vhost => vhost(bench, args),
        Phones::Later => Ok(true),
    }
}

fn ask(bench: &Workbench) -> Result<Phones, Fault> {
    let screen = &bench.screen;
    if !screen.can_ask() {
        return Err(Fault(format!(
            "nobody can be asked here: say how phones shall reach this NAS, such as {} phone home; or proxy, vhost, later",
            bench.typed()
        )));
    }
    screen.say("How shall phones reach this NAS?");
    screen.say("  a  at home only, without https; there is nothing more to set up");
    screen.say("  b  from everywhere, by DSM's reverse proxy, with https");
    screen.say("  c  from everywhere, by a virtual host of Web Station's, with https");
    screen.say("  d  later");
    loop {
        screen.prompt("a, b, c or d: ");
        match screen.line()?.trim() {
            "a" | "home" => return Ok(Phones::Home),
            "b" | "proxy" => return Ok(Phones::Proxy),
            "c" | "vhost" => return Ok(Phones::Vhost),
            "d" | "later" | "" => return Ok(Phones::Later),
            _ => {}
        }
    }
}

/// Nothing is chosen: what was chosen before still holds.
fn later(bench: &Workbench, args: &PhoneArgs<'_>) -> Result<bool, Fault> {
    if bench.path("config.json").exists() {
        let view = View::read(&bench.folder)?;
        if !is_own(&view.base(&view.config()?)) {
            show_code(bench, args.who, args.codes)?;
            return Ok(true);
        }
    }
    let by_host = matches!(noted(&bench.folder), Some(EntryPointKind::Vhost | EntryPointKind::Php));
    show_what_is_left(bench, None)?;
    match by_host {
        true => bench.screen.say("No phone finds this NAS yet. When Web Station is set up:"),
        false => bench.screen.say("No phone finds this NAS yet. When one shall:"),
    }
    let how = if by_host { " vhost --url https://that-name" } else { "" };
    bench.screen.literal(format_args!("  {} phone{how}", bench.typed()));
    Ok(true)
}

/// Apache listens on the NAS's own address.
fn home(bench: &Workbench, url: Option<&str>) -> Result<bool, Fault> {
    let screen = &bench.screen;
    port_is_entry(bench, "home")?;
    let ip = match url {
        Some(url) => host(&address(url)?).parse::<IpAddr>().map_err(|_| {
            Fault::new("at home phones use the NAS's own address: write it as numbers, such as --url http://192.168.1.20")
        })?,
        None => own_address().ok_or_else(|| {
            Fault::new(
                "the address of this NAS in your network could not be found; give it as Control Panel, Network shows it, such as \
                 remotetask phone home --url http://192.168.1.20",
            )
        })?,
    };
    let mut edit = Edit::begin(&bench.folder)?;
    edit.server().insert("listen".into(), ip.to_string().into());
    drop(edit.commit()?);
    if !repair::run(bench, false, false)? {
        return Err(Fault(format!(
            "config.json has \"listen\": \"{ip}\" now, and Apache could not be told: see above, then {} phone home again",
            bench.typed()
        )));
    }
    let base = format!("http://{}", SocketAddr::new(ip, listen_address(&bench.folder)?.port()));
    url::note(bench, &base)?;
    if !prove::run(bench, Some(&base))? {
        return Ok(false);
    }
    screen.say(format_args!(
        "Phones in your home network reach it at {base}. Without https whoever is in that network can read a link while it is \
         used, and use it then. From outside nobody reaches it, as long as your router forwards no port to it: leave that so."
    ));
    screen.say(format_args!(
        "Let the NAS keep this address (in the router, or Control Panel, Network), because Apache listens on it alone. Has it \
         another one all the same, {} phone home takes that, and shows the new code. Where DSM's firewall is on, let this \
         port in for your network: Control Panel, Security, Firewall.",
        bench.typed()
    ));
    Ok(true)
}

/// The address from which this machine would call others, or else the first one of a home network that it has.
fn own_address() -> Option<IpAddr> {
    let is_one = |ip: &IpAddr| !ip.is_loopback() && !ip.is_unspecified();
    // No packet is sent: this only chooses a route.
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    let routed = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()).map(|own| own.ip()).ok();
    routed.filter(is_one).or_else(|| {
        let tables = std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
        local_addresses(&tables).into_iter().find(|ip| is_one(ip) && at_home(&ip.to_string()))
    })
}

/// The machine's own addresses in the kernel's table of routes (/proc/net/fib_trie).
fn local_addresses(tables: &str) -> Vec<IpAddr> {
    let mut lines = tables.lines().peekable();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let ip = line.trim().strip_prefix("|-- ").and_then(|ip| ip.parse::<IpAddr>().ok());
        let is_own = lines.peek().is_some_and(|next| next.contains("/32 host LOCAL"));
        found.extend(ip.filter(|ip| is_own && !found.contains(ip)));
    }
    found
}

fn port_is_entry(bench: &Workbench, way: &str) -> Result<(), Fault> {
    match noted(&bench.folder) {
        None | Some(EntryPointKind::Port) => Ok(()),
        Some(_) => Err(Fault(format!(
            "the entry point of this NAS is a virtual host of Web Station's, which has an address of its own, and {way} needs a \
             port: {} phone vhost",
            bench.typed()
        ))),
    }
}

/// DSM's reverse proxy in front of Apache's port.
fn proxy(bench: &Workbench, args: &PhoneArgs<'_>) -> Result<bool, Fault> {
    port_is_entry(bench, "DSM's reverse proxy")?;
    let url = asked_address(bench, args)?;
    let listen = listen_address(&bench.folder)?;
    let inside = match listen.ip() {
        ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
        ip => ip.to_string(),
    };
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", &url));
    let port = rest.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map(|(_, port)| port);
    let screen = &bench.screen;
    screen.say("In DSM: Control Panel, Login Portal, Advanced, Reverse Proxy, Create (DSM 6: Application Portal, Reverse Proxy):");
    screen.literal("  Reverse proxy name       remotetask");
    screen.literal(format_args!("  Source       Protocol    {}", scheme.to_ascii_uppercase()));
    screen.literal(format_args!("               Hostname    {}", host(&url)));
    screen.literal(format_args!(
        "               Port        {}",
        port.unwrap_or(if scheme == "http" { "80" } else { "443" })
    ));
    screen.literal("  Destination  Protocol    HTTP");
    screen.literal(format_args!("               Hostname    {inside}"));
    screen.literal(format_args!("               Port        {}", listen.port()));
    certificate(screen, &url);
    answers_there(bench, &url, args.no_wait)
}

fn certificate(screen: &Screen, url: &str) {
    screen.say(format_args!(
        "And its certificate: Control Panel, Security, Certificate: Add one for {0} (Let's Encrypt will do), then Settings, and \
         choose it for {0}.",
        host(url)
    ));
}

/// A virtual host of Web Station's. Where a port is the entry point, its folder takes the port's place.
fn vhost(bench: &Workbench, args: &PhoneArgs<'_>) -> Result<bool, Fault> {
    let runs_programs = Apache::here().is_some_and(|apache| matches!(apache.cgi_module(), Ok(Some(_))));
    let kind = match noted(&bench.folder) {
        Some(kind @ (EntryPointKind::Vhost | EntryPointKind::Php)) => kind,
        _ if runs_programs => EntryPointKind::Vhost,
        _ => EntryPointKind::Php,
    };
    let url = asked_address(bench, args)?;
    if noted(&bench.folder) != Some(kind) && !repair::entry_point(kind)? {
        return Ok(false);
    }
    show_what_is_left(bench, Some(&url))?;
    answers_there(bench, &url, args.no_wait)
}

/// Shows what is left to click in DSM for a virtual host, unless the start page answers at its address already.
pub fn show_what_is_left(bench: &Workbench, url: Option<&str>) -> Result<(), Fault> {
    let Some(kind @ (EntryPointKind::Vhost | EntryPointKind::Php)) = noted(&bench.folder) else { return Ok(()) };
    match url.map(|url| Live::of(&bench.folder, url)).transpose()? {
        Some(live) if live.doorstep().is_ok() => {}
        _ => show_clicks(&bench.screen, kind),
    }
    Ok(())
}

/// The address as it was given, was noted, or is typed now.
fn asked_address(bench: &Workbench, args: &PhoneArgs<'_>) -> Result<String, Fault> {
    if let Some(url) = args.url {
        return address(url);
    }
    let known = Secrets::read(&bench.folder)?.url().filter(|url| !is_own(url)).map(str::to_owned);
    let screen = &bench.screen;
    if !screen.can_ask() {
        return known.ok_or_else(|| {
            Fault::new(
                "the address that phones will use is missing: write it behind, such as --url https://tasks.example.org",
            )
        });
    }
    screen.say("By which address will phones call it, such as https://tasks.example.org?");
    loop {
        screen.prompt(&known.as_ref().map_or("Address: ".into(), |known| format!("Just press Enter for {known}: ")));
        match (screen.line()?.trim(), &known) {
            ("", Some(known)) => return Ok(known.clone()),
            ("", None) => return Err(Fault::new("no address came; nothing was changed")),
            (typed, _) => match address(typed) {
                Ok(address) => return Ok(address),
                Err(Fault(why)) => screen.say(format_args!("{why}.")),
            },
        }
    }
}

/// Waits until the start page answers there, notes the address, and proves the way by it. Returns true if it works.
fn answers_there(bench: &Workbench, url: &str, no_wait: bool) -> Result<bool, Fault> {
    let screen = &bench.screen;
    url::note(bench, url)?;
    let live = Live::of(&bench.folder, url)?;
    let end = Instant::now() + PATIENCE;
    let mut told = String::new();
    while let Err(why) = live.doorstep() {
        // By its name once more: the web server may have begun in between.
        if live.answers_on_this_nas() && live.doorstep().is_err() {
            screen.mark(
                Tone::Advice,
                "advice",
                format_args!(
                    "{url} answers on this NAS itself, and not from here by its name: many routers lead no request of their own \
                     network back to their outside address, or the name is not known yet. Try it from a phone without WLAN."
                ),
            );
            return Ok(true);
        }
        if no_wait || Instant::now() >= end {
            return Err(not_yet(bench, url, &why));
        }
        if told.is_empty() {
            screen.say("Waiting until the start page answers there; Ctrl-C ends this, and what is installed stays ...");
        }
        if told != why.sentence {
            screen.say(format_args!("Not yet: {}", why.sentence));
            told = why.sentence;
        }
        // A closed connection ends the wait.
        if reader_is_gone() {
            return Ok(false);
        }
    }
    prove::run(bench, Some(url))
}

fn not_yet(bench: &Workbench, url: &str, why: &Found) -> Fault {
    Fault(format!(
        "the start page does not answer there yet: {} When it is set up: {} phone --url {}",
        why.sentence,
        bench.typed(),
        quoted(url)
    ))
}

/// Waits a moment; returns true if nobody reads the output any more.
fn reader_is_gone() -> bool {
    let time = Timespec { tv_sec: LOOK.as_secs().try_into().unwrap_or(3), tv_nsec: 0 };
    let output = stdout();
    let mut polled = [PollFd::new(&output, PollFlags::empty())];
    poll(&mut polled, Some(&time)).is_ok_and(|ready| ready > 0)
}

/// One person's panel, to be scanned: what somebody with a phone needs, and nothing else.
fn show_code(bench: &Workbench, only: Option<&str>, codes: Codes) -> Result<(), Fault> {
    let screen = &bench.screen;
    let is_new = panel::ensure(bench)?;
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    if config.tasks.is_empty() {
        screen
            .say("No task can be reached yet, so there is nothing to scan. See what there is, and make one reachable:");
        screen.literal(format_args!("  {} tasks", bench.typed()));
        return Ok(());
    }
    let first = config.server.magic_keys.first().and_then(|key| key.label.as_deref());
    let person = only.map_or_else(|| who(0, first), str::to_owned);
    screen.gap();
    if is_new {
        screen.say("There is a panel now, a page with a button for each task that its caller may start.");
    }
    screen.say(format_args!(
        "For another person make a key, and so another code: {} key new --label NAME",
        bench.typed()
    ));
    screen.say(
        "Scan this with the phone's camera, open it, and put it on the home screen (Safari: Share; Chrome: the three dots):",
    );
    show_urls(bench, Some(&person), None, codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_addresses_in_the_table_of_routes() {
        let tables = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 192.168.1.0/24 2 0 2\n        \
            |-- 192.168.1.0\n           /24 link UNICAST\n        |-- 192.168.1.20\n           /32 host LOCAL\n        \
            |-- 192.168.1.255\n           /32 link BROADCAST\nLocal:\n        |-- 127.0.0.1\n           /32 host LOCAL\n        \
            |-- 192.168.1.20\n           /32 host LOCAL\n";
        let expected: Vec<IpAddr> = ["192.168.1.20", "127.0.0.1"].map(|ip| ip.parse().expect("an address")).into();
        assert_eq!(local_addresses(tables), expected);
    }
}
