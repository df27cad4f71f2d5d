//! The template of Argo's `job` provider: one pod that runs `recant once --wait`.
//!
//! A Job knows only zero and non-zero, and non-zero aborts. What is neither good nor bad (missing data, a Recant that
//! cannot look) is what `--when-unclear` says; unless it is told otherwise, the rollout goes on.

use recant_core::rule::Watch;

use super::{ArgoTemplateArgs, WhenUnclear, in_seconds, quoted};

pub(super) fn template(args: &ArgoTemplateArgs, watch: &Watch) -> anyhow::Result<String> {
    let target = &watch.target;
    let (namespace, name) = (&target.namespace, &target.name);
    let prometheus = match &args.prometheus {
        Some(url) => format!(
            "                - {}\n",
            quoted(&format!("--prometheus={url}"))?
        ),
        None => String::new(),
    };
    let (unclear, says) = match args.when_unclear {
        WhenUnclear::Pass => ("pass", "Only a Fail may do that here."),
        WhenUnclear::Fail => ("fail", "Without a verdict, or a look, it does here, too."),
    };
    Ok(format!(
        "# Argo Rollouts runs Recant for its verdict on {target} (Watch {}).
# The Rollout names it in its steps:
#   - analysis:
#       templates: [{{templateName: recant-{name}}}]
# The rules, and the rights:
#   kubectl -n {namespace} create configmap {config_map} --from-file=rules.yaml=RULES-FILE
#   kubectl -n {namespace} apply -f once-role.yaml -f once-role-binding.yaml
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: recant-{name}
  namespace: {namespace}
spec:
  metrics:
  - name: recant
    failureLimit: 0
    provider:
      job:
        spec:
          backoffLimit: 0
          template:
            spec:
              restartPolicy: Never
              containers:
              - name: recant
                image: {image}
                command:
                - recant
                - once
                # What is done about a verdict is Argo's.
                - --dry-run
                - --rules=/rules
{prometheus}                - --wait={wait}
                # A Job that fails aborts the rollout, and no Job can pause it. {says}
                - --when-unclear={unclear}
                volumeMounts:
                - {{name: rules, mountPath: /rules}}
              volumes:
              - name: rules
                configMap: {{name: {config_map}}}
",
        watch.name,
        config_map = quoted(&args.config_map)?,
        image = quoted(&args.image)?,
        wait = in_seconds(args.wait),
    ))
}
