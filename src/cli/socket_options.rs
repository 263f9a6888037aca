//! Socket options as arguments: one for each entry of the table that the program has a use for.

use std::io;

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};
use selkey::socket::options::{Kind, SocketOption, Value, all};
use selkey::socket::{Options, Role};

const HEADING: &str = "Socket options";
const BACKLOG: &str = "backlog";

/// The options of a program that listens, with its backlog where none is asked for.
pub struct Listening<const DEFAULT_BACKLOG: u32 = 4096>(pub Options);

/// The options of a program that connects.
pub struct Dialling(pub Options);

/// The options of a program that sends and receives datagrams.
pub struct Datagrams(pub Options);

const SERVER: &[Role] = &[Role::Listener, Role::Accepted];
const CLIENT: &[Role] = &[Role::Dialled];
const DATAGRAM: &[Role] = &[Role::Datagram];

impl<const DEFAULT_BACKLOG: u32> Args for Listening<DEFAULT_BACKLOG> {
    fn augment_args(command: Command) -> Command {
        let backlog = Arg::new(BACKLOG)
            .long(BACKLOG)
            .value_name("N")
            .value_parser(value_parser!(u32).range(0..=i32::MAX.into()))
            .help_heading(HEADING)
            .help(format!("How many connections may wait for an accept [default: {DEFAULT_BACKLOG}]"));
        augment(command, SERVER).arg(backlog)
    }
    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const DEFAULT_BACKLOG: u32> FromArgMatches for Listening<DEFAULT_BACKLOG> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut options = collect(matches, SERVER)?;
        options.backlog(*matches.get_one(BACKLOG).unwrap_or(&DEFAULT_BACKLOG));
        Ok(Listening(options))
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// As arguments: what the table has for these roles, and nothing else.
macro_rules! arguments {
    ($options:ident, $roles:ident) => {
        impl Args for $options {
            fn augment_args(command: Command) -> Command {
                augment(command, $roles)
            }
            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }

        impl FromArgMatches for $options {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
                Ok($options(collect(matches, $roles)?))
            }
            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}

arguments!(Dialling, CLIENT);
arguments!(Datagrams, DATAGRAM);

/// What this platform has and a program of these roles has a use for.
fn offered(roles: &'static [Role]) -> impl Iterator<Item = &'static SocketOption> {
    all().iter().filter(move |option| option.is_available() && option.roles.iter().any(|role| roles.contains(role)))
}

fn augment(command: Command, roles: &'static [Role]) -> Command {
    offered(roles).fold(command, |command, option| command.arg(argument(option)))
}

fn argument(option: &'static SocketOption) -> Arg {
    let short = option.does.split_inclusive(". ").next().unwrap_or_default().trim_end().trim_end_matches('.');
    let mut long = format!("{}\n\n{} takes {}", option.does, option.name, option.takes());
    if !option.precondition.is_empty() {
        long = format!("{long}; needs: {}", option.precondition);
    }
    let argument = Arg::new(option.flag)
        .long(option.flag)
        .help_heading(HEADING)
        .help(format!("{short} ({})", option.name))
        .long_help(format!("{long}."))
        .allow_hyphen_values(option.kind != Kind::Switch)
        .value_parser(move |text: &str| check(option, text));
    match option.kind {
        Kind::Switch => argument.value_name("on|off").num_args(0..=1).default_missing_value("on"),
        Kind::Size => argument.value_name("B"),
        Kind::Duration(_) => argument.value_name("S"),
        Kind::Linger => argument.value_name("off|S"),
        Kind::Text => argument.value_name("NAME"),
        _ => argument.value_name("N"),
    }
}

fn check(option: &'static SocketOption, text: &str) -> io::Result<Value> {
    option.check(text).map_err(|error| {
        // A switch without a value took what stands behind it.
        let hint = if option.kind == Kind::Switch {
            format!("; --{}=on where more follows", option.flag)
        } else {
            String::new()
        };
        io::Error::new(error.kind(), format!("{error}{hint}"))
    })
}

fn collect(matches: &ArgMatches, roles: &'static [Role]) -> Result<Options, Error> {
    let mut options = Options::default();
    for option in offered(roles) {
        if let Some(value) = matches.get_one::<Value>(option.flag) {
            options.set(option.name, value.clone())?;
        }
    }
    Ok(options)
}
