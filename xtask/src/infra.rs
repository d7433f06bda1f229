//! The infrastructure, as far as it can be checked without an account: Terraform's format, validation and tests, the contract
//! with the code, checkov, zizmor, shellcheck, and whether AWS SAM finds the functions. It works on a copy, so that no lock file
//! and no state gets into the sources.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    command::{output, run, version},
    contract, package,
    python::environment,
    target,
};

/// Serves the provider's schema where there is no network.
const OFFLINE: &str = "../shared/tools/terraform-offline/terraform-offline";

/// The sender of mails that nobody gets.
const MAIL_FROM: &str = "lmo@example.com";

/// What is initialised and validated, below `infra/terraform`.
const ROOTS: [&str; 3] = [".", "examples/minimal", "examples/production"];

/// A copy of the infrastructure, and what Terraform needs to work on it.
pub struct Copy {
    /// Has `infra/` and `samconfig.toml`, as the repository has them.
    root: PathBuf,
    /// Files in the place of the functions' packages.
    pub packages: PathBuf,
    /// Terraform's configuration, if it is to use the stand-in for the provider.
    offline: Option<String>,
}

/// Checks all of it.
///
/// # Errors
/// What is missing, or the first command that failed.
pub fn check(root: &Path) -> Result<(), String> {
    version("terraform", "Terraform 1.11 or later")?;
    run(Command::new("terraform").args(["fmt", "-check", "-diff", "-recursive"]).arg(root.join("infra")))?;
    let copy = Copy::make(root).map_err(|error| format!("copy of infra/: {error}"))?;
    for folder in ROOTS {
        run(copy.terraform(folder).args(["init", "-input=false", "-backend=false"]))?;
        run(copy.terraform(folder).arg("validate"))?;
    }
    run(copy.terraform(".").arg("test").args(copy.variables()))?;
    contract::check(root, &copy)?;
    let tools = environment(root, "infra", &root.join("infra/requirements.txt"), &[])?;
    let tool = |name| {
        let mut tool = Command::new(tools.with_file_name(name));
        tool.current_dir(root);
        tool
    };
    // Whatever is excused has its reason beside it, as `checkov:skip`.
    let mut checkov = tool("checkov");
    checkov.args(["--directory", "infra/terraform", "--framework", "terraform"]);
    run(checkov.args(["--compact", "--quiet", "--skip-download"]))?;
    run(tool("zizmor").args(["--offline", "--no-progress", "--min-severity", "medium", ".github"]))?;
    run(tool("shellcheck").args(["infra/rollout", ".ci/run"]))?;
    sam(&copy, &tools.with_file_name("sam"))
}

/// Compares the functions with the infrastructure alone.
///
/// # Errors
/// What is missing, or every difference in a line.
pub fn contract(root: &Path) -> Result<(), String> {
    version("terraform", "Terraform 1.11 or later")?;
    let copy = Copy::make(root).map_err(|error| format!("copy of infra/: {error}"))?;
    output(copy.terraform(".").args(["init", "-input=false", "-backend=false"]))?;
    contract::check(root, &copy)
}

/// Whether SAM finds the functions. It makes a plan, for which the real provider needs credentials.
fn sam(copy: &Copy, program: &Path) -> Result<(), String> {
    if copy.offline.is_none() && std::env::var_os("AWS_ACCESS_KEY_ID").is_none() {
        println!("sam: left out, without credentials for a plan");
        return Ok(());
    }
    let sam = |task: &str| {
        let mut command = copy.command(program, ".");
        command.env("SAM_CLI_TELEMETRY", "0").env("AWS_DEFAULT_REGION", "eu-central-1");
        command.env("TF_VAR_sam", "true").env("TF_VAR_packages", &copy.packages).env("TF_VAR_mail_from", MAIL_FROM);
        command.args([task, "--config-file", "../../samconfig.toml"]);
        command
    };
    run(sam("build"))?;
    run(sam("validate"))
}

impl Copy {
    fn make(root: &Path) -> io::Result<Self> {
        let work = target(root).join("infra");
        let copy = Self { root: work.join("root"), packages: work.join("packages"), offline: offline(root)? };
        if copy.root.exists() {
            fs::remove_dir_all(&copy.root)?;
        }
        copy_sources(&root.join("infra"), &copy.root.join("infra"))?;
        fs::copy(root.join("samconfig.toml"), copy.root.join("samconfig.toml"))?;
        for function in package::functions(root).map_err(io::Error::other)? {
            let folder = copy.packages.join(format!("lmo-{function}"));
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("bootstrap.zip"), "no zip")?;
        }
        Ok(copy)
    }

    /// What the module can't do without.
    pub fn variables(&self) -> [String; 2] {
        [format!("-var=packages={}", self.packages.display()), format!("-var=mail_from={MAIL_FROM}")]
    }

    /// A command of Terraform in a folder below `infra/terraform`.
    pub fn terraform(&self, folder: &str) -> Command {
        self.command(Path::new("terraform"), folder)
    }

    fn command(&self, program: &Path, folder: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.root.join("infra/terraform").join(folder)).env("AWS_REGION", "eu-central-1");
        if let Some(offline) = &self.offline {
            command
                .env("TF_CLI_CONFIG_FILE", offline)
                .envs([("AWS_ACCESS_KEY_ID", "-"), ("AWS_SECRET_ACCESS_KEY", "-")]);
        }
        command
    }
}

/// Terraform's configuration with the stand-in, where that is there: it prints `export TF_CLI_CONFIG_FILE='<path>'`.
fn offline(root: &Path) -> io::Result<Option<String>> {
    let program = root.join(OFFLINE);
    if !program.exists() {
        return Ok(None);
    }
    let printed = Command::new(program).arg("env").output()?;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    let path = printed.split('\'').nth(1).ok_or_else(|| io::Error::other(format!("{OFFLINE} env: {printed}")))?;
    Ok(Some(path.to_owned()))
}

/// Copies a folder, but for what Terraform and SAM left in it.
fn copy_sources(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let left_over = name.to_string_lossy().starts_with('.');
        if entry.file_type()?.is_dir() && !left_over {
            copy_sources(&entry.path(), &to.join(name))?;
        } else if !left_over {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}
