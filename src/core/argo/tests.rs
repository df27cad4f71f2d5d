mod assess;
mod expressions;
mod hostile;
mod oracle;
mod phases;
mod templates;
