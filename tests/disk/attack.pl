# What a script tries that means harm: what it is, and whether it was refused, goes into the image.
my ($secret, $port, $key, $keyctl, @traces) = @ARGV;
$keyctl += 0;
my $image = $ENV{DPKG_ROOT} // '';
opendir my $mine, '/proc/self/fd' or die;
my @left = map { readlink } grep { -f } map { "/proc/self/fd/$_" } grep { /^\d+$/ && $_ > 2 } readdir $mine;
open my $report, '>>', "$image/etc/attack" or die;
open STDERR, '>', '/dev/null';
print $report length $image ? "outside of the image\n" : "inside of the image\n";
sub tried { my ($what, $done) = @_; print $report "$what: ", $done ? "DONE $done\n" : "refused\n" }
sub text { open my $file, '<', shift or return ''; local $/; return <$file> // '' }
sub leave { for my $trace (@traces) { open my $file, '>', $trace } }

opendir my $list, '/proc' or die;
my @processes = map { "/proc/$_" } grep { /^\d+$/ } readdir $list;
(my $home = $secret) =~ s{/[^/]*$}{};
tried 'the builder\'s secret', text $secret;
tried 'the builder\'s home', opendir(my $folder, $home) || 0;
tried 'other processes\' roots', join '', map { text "$_/root$secret" } @processes;
tried 'the builder\'s processes', scalar grep { text("$_/cmdline") =~ /hostile::bake/ } @processes;
tried 'the builder\'s environment', scalar grep { text("$_/environ") =~ /\Q$key/ } @processes;
tried 'an inherited environment', scalar grep { /\Q$key/ } values %ENV;
tried 'the builder\'s keyring', syscall($keyctl, 10, -3, my $type = 'user', my $name = 'hostile', 0) > 0;
tried 'an open file', join ' ', @left;
tried 'new privileges', text('/proc/self/status') !~ /^NoNewPrivs:\s*1$/m;
tried 'root\'s identity', (stat '/dev/null')[4] == 0;

# Mounts that are read-only become writable, and what is hidden becomes visible.
my @points = map { (split)[4] } split /\n/, text '/proc/self/mountinfo';
tried 'another look at a mount', join ' ',
    grep { !system 'mount', '-o', 'remount,bind,rw', $_ } grep { m{^/(usr|$|proc/sys|dev)} } @points;
mkdir "$image/mount";
tried 'a mount', !system 'mount', '-t', 'tmpfs', 'tmpfs', "$image/mount";
system 'umount', "$image/mount";
tried 'what lies below a mount', join ' ',
    grep { !system 'umount', $_ } grep { m{^/(proc/sys|work|run|dev/)} } @points;
tried 'the kernel\'s core pattern', open(my $pattern, '+<', '/proc/sys/kernel/core_pattern') || 0;
leave;

socket my $socket, 2, 1, 0;
tried 'a host of the network', connect $socket, pack 'S n C4 x8', 2, $port, 127, 0, 0, 1;

mkdir "$image/in";
chroot "$image/in";
chdir '..' for 1 .. 64;
chroot '.';
tried 'the way out of a chroot', text $secret;
leave;
